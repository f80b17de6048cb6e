//! Link settings of the Lua module.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" {
        // A library with a signal handler must never be unmapped: `lua_close` closes its modules, and a signal that
        // comes later would run code that is gone.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    if os == "macos" {
        // Lua's own symbols are found in the interpreter when the module is loaded.
        println!("cargo:rustc-cdylib-link-arg=-undefined");
        println!("cargo:rustc-cdylib-link-arg=dynamic_lookup");
    }
}
