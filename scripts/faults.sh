#!/bin/sh
# Makes every guarded section of the native functions panic: sh scripts/faults.sh [LUA ...], lua5.4 without arguments.
#
# It builds with the feature `faults`, for spec/faults.lua alone: the library stays in cargo's target folder and is
# installed nowhere.
set -eu

cd "$(dirname "$0")/.."
. scripts/luas.sh
[ $# -gt 0 ] || set -- lua5.4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for lua in "$@"; do
    row=$(present | grep " $lua " || :)
    name=${row%% *}
    [ -n "$name" ] || { echo "faults: there is no $lua here" >&2 && exit 1; }
    target=${CARGO_TARGET_DIR:-target}
    cargo build --quiet --locked --lib --features "$name,faults" --target-dir "$target/faults"
    rm -rf "$work/$name"
    mkdir -p "$work/$name/files"
    for library in "$target/faults/debug/libfkrpc.so" "$target/faults/debug/libfkrpc.dylib"; do
        [ ! -f "$library" ] || cp "$library" "$work/$name/fkrpc.so"
    done
    # The variable with a version goes before the plain one. The panics' own texts are of no interest unless it fails.
    cpath="$work/$name/?.so"
    if ! env LUA_CPATH="$cpath" LUA_CPATH_5_2="$cpath" LUA_CPATH_5_3="$cpath" LUA_CPATH_5_4="$cpath" RUST_BACKTRACE=0 \
        "$lua" spec/faults.lua . "$work/$name/files" > "$work/$name/out" 2> "$work/$name/err" < /dev/null; then
        tail -n 30 "$work/$name/err" >&2
        cat "$work/$name/files/report" >&2 2> /dev/null || :
        echo "faults: $lua FAILED" >&2
        exit 1
    fi
    echo "faults: $lua: $(cat "$work/$name/files/report")"
done
