#!/bin/sh
# Runs every check of the project and counts them: sh scripts/test.sh (or `make test`, which sets up first).
#
# It goes on after a failure, so that one run tells all, and ends with what the failed checks said last, "checks: N
# passed, N failed, N skipped" and the failures' names. Only a linter that this machine's Rust came without is skipped, and other people's clients where they
# cannot be installed.
set -u

cd "$(dirname "$0")/.." || exit 1
. scripts/luas.sh
passed=0
failed=0
skipped=0
failures=
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT

# What matters of what a check said, for whoever sees only the end of the output: busted's summary and its failures,
# else the last lines.
excerpt() {
    awk '/ success.* \/ .* failure.* \/ /{ summary = 1; n = 0 }
        summary == 1 && /^(Failure|Error) -> /{ summary = 2; n = 1 }
        { line[n++] = $0 }
        END {
            first = summary || n < 12 ? 0 : n - 12
            for (i = first; i < n && i < first + 20; i++) print "  | " substr(line[i], 1, 300)
        }' "$said/now"
}

check() {
    title=$1
    shift
    printf '\n== %s\n' "$title"
    started=$(date +%s)
    # The status goes by a file: a pipe's is that of its last command.
    { "$@" 2>&1; echo $? > "$said/status"; } | tee "$said/now"
    if [ "$(cat "$said/status")" = 0 ]; then
        passed=$((passed + 1))
        echo "-- passed: $title ($(($(date +%s) - started)) s)"
    else
        failed=$((failed + 1))
        failures="$failures
   $title"
        { echo "  $title:"; excerpt; } >> "$said/failures"
        echo "-- FAILED: $title ($(($(date +%s) - started)) s)"
    fi
}

skip() {
    skipped=$((skipped + 1))
    printf '\n== %s\n-- SKIPPED: %s\n' "$1" "$2"
}

if cargo fmt --version > /dev/null 2>&1; then
    check "cargo fmt" cargo fmt --check
    check "cargo fmt of the fuzz targets" cargo fmt --check --manifest-path fuzz/Cargo.toml
else
    skip "cargo fmt" "rustfmt is missing (rustup component add rustfmt, or apt install rustfmt)"
fi
if cargo clippy --version > /dev/null 2>&1; then
    check "clippy of the core" cargo clippy --locked --all-targets -- -D warnings
    check "clippy with lua54" cargo clippy --locked --all-targets --features lua54 -- -D warnings
else
    skip "clippy" "it is missing (rustup component add clippy, or apt install rust-clippy)"
fi
check "cargo test" cargo test --locked
# The loops without SIMD; fewer documents, as the differences could only be in what both have in common.
check "cargo test of the codecs, portable" env FKRPC_FUZZ_ROUNDS=100000 cargo test --locked --features portable --lib \
    --test json_suite --test json_scan --test json_strings --test json_numbers --test json_floats --test json_write \
    --test json_differential --test cbor_scan --test cbor_write --test cbor_malformed --test cbor_differential
# That they compile, without the libFuzzer that running them takes (`make fuzz`).
check "fuzz targets" cargo check --manifest-path fuzz/Cargo.toml --no-default-features \
    --target-dir "${CARGO_TARGET_DIR:-target}"
check "one Lua or none" sh scripts/one_lua.sh

for row in lua54:lua5.4 lua53:lua5.3 lua51:lua5.1 luajit:luajit; do
    command -v "${row#*:}" > /dev/null || check "the interpreter ${row#*:} is there" false
done
# Not a pipe: `check` counts in this shell.
rows=$(present | cut -d' ' -f1,2 | tr ' ' ':')
for row in $rows; do
    check "build for ${row%%:*}" "${row#*:}" scripts/build.lua
    check "specs under ${row#*:}" "${row#*:}" scripts/spec.lua
done
check "panics in native functions" sh scripts/faults.sh lua5.4
# What waits, nests and interleaves; `make spec-gc` has all specs and all collectors (stock lua5.4 is generational).
check "specs of peers with other collectors" env \
    FKRPC_GC_SPECS='peer peer_end peer_nesting concurrency cancel reentrant' \
    sh scripts/gc.sh incremental stress
if [ -f demo/demo.lua ]; then
    check "demo" sh scripts/demo.sh
fi
if reason=$(sh spec/clients.sh setup); then
    check "official clients" sh spec/clients.sh run
else
    skip "official clients" "$reason"
fi
check "luacheck" luacheck --quiet . rockspec/*.rockspec
check "packaging" sh spec/packaging.sh

echo
[ "$failed" = 0 ] || cat "$said/failures"
[ "$failed" = 0 ] || printf 'failed:%s\n' "$failures"
echo "checks: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
