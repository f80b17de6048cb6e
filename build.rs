//! What cargo cannot know by itself: link settings of the Lua module, and the prelude as it goes into the library.
//!
//! It downloads nothing and needs no crate. It asks `cc`, which links the library anyway, and `getconf`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

#[path = "src/prelude/compact.rs"]
mod compact;
#[path = "src/prelude/pack.rs"]
mod pack;

/// What only the feature `parent` has: files, and folders.
const PARENT: [&str; 11] = [
    "process.lua",
    "child.lua",
    "certificate.lua",
    "handshake.lua",
    "zygote.lua",
    "forked.lua",
    "standin.lua",
    "loop.lua",
    "loop",
    "pool.lua",
    "pool",
];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/prelude");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    prelude(Path::new("src/prelude"), &out.join("prelude"))?;

    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" {
        // A library with a signal handler must never be unmapped: `lua_close` closes its modules, and a signal that
        // comes later would run code that is gone.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        // Both ask about this machine, and hold for it alone.
        let gnu = env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|value| value == "gnu");
        if gnu && env::var_os("HOST") == env::var_os("TARGET") {
            own_unwinder();
            packed_relocations();
        }
    }
    if os == "macos" {
        // Lua's own symbols are found in the interpreter when the module is loaded.
        println!("cargo:rustc-cdylib-link-arg=-undefined");
        println!("cargo:rustc-cdylib-link-arg=dynamic_lookup");
    }
    Ok(())
}

/// Write the Lua files of `from` and of the folders in it to `to`, compacted and packed, with the table of the words.
fn prelude(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    list(from, Path::new(""), &mut names)?;
    if env::var_os("CARGO_FEATURE_PARENT").is_none() {
        names.retain(|name| !PARENT.iter().any(|part| name.starts_with(part)));
    }
    names.sort();
    let mut texts = Vec::new();
    for name in &names {
        texts.push(compact::compact(&fs::read(from.join(name))?));
    }
    let packed = pack::pack(&texts).ok_or(io::ErrorKind::InvalidData)?;
    for (name, text) in names.iter().zip(&packed.texts) {
        let file = to.join(name);
        fs::create_dir_all(file.parent().unwrap_or(to))?;
        fs::write(file, text)?;
    }
    fs::write(to.join("words"), &packed.words)?;
    fs::write(to.join("ends.rs"), format!("{:?}", packed.ends))
}

/// The Lua files of `folder`'s subfolder `inside` and of the folders in it, by their paths from `folder`.
fn list(folder: &Path, inside: &Path, names: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(inside))? {
        let name = inside.join(entry?.file_name());
        if folder.join(&name).is_dir() {
            list(folder, &name, names)?;
        } else if name.extension().is_some_and(|extension| extension == "lua") {
            names.push(name);
        }
    }
    Ok(())
}

/// Link GCC's unwinder into the library rather than load `libgcc_s.so.1`, which costs a process more than all the rest
/// of `require "fkrpc"`: a second library to map, and its constructor asks the processor what it can do, which a virtual
/// machine answers slowly. Panics never leave the library, so that it needs no unwinder in common with others.
///
/// LuaJIT raises its errors by that library, has it loaded and takes them through our frames: there it stays shared.
/// So it does where the static one is not installed.
fn own_unwinder() {
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let with_lua = ["LUA51", "LUA52", "LUA53", "LUA54", "LUA55"]
        .iter()
        .any(|lua| env::var_os(format!("CARGO_FEATURE_{lua}")).is_some());
    if !with_lua {
        return;
    }
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    // GCC and Clang answer with the path of the file, or with the bare name if they have none.
    let path = answer(Command::new(linker).arg("-print-file-name=libgcc_eh.a"));
    if path.contains('/') && Path::new(&path).is_file() {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Relocations as a bit map (`DT_RELR`) rather than 24 bytes each, where this machine's glibc knows them: since 2.36.
/// A linker that does not know the option ignores it.
fn packed_relocations() {
    let version = answer(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    let mut numbers = version
        .trim_start_matches("glibc ")
        .split('.')
        .map(|number| number.parse().unwrap_or(0));
    if (numbers.next(), numbers.next()) >= (Some(2), Some(36)) {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,pack-relative-relocs");
    }
}

/// What a program writes to its stdout, without the line break; empty if it cannot be run.
fn answer(command: &mut Command) -> String {
    let stdout = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&stdout).trim().to_owned()
}
