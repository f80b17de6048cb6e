#!/bin/sh
# AddressSanitizer over the library in a stock lua5.4: sh scripts/asan.sh [STRIDE], or sh scripts/asan.sh chaos [ROUNDS]
# over the faults of spec/chaos, where every child that is Lua has the same library.
#
# The sanitizer of a stable rustc is behind a switch for its own build (RUSTC_BOOTSTRAP), and its runtime comes from
# gcc, put before everything else. Lua itself is not instrumented. Leaks are not looked for: see spec/memory_spec.lua.
# STRIDE is how many messages of the traces are passed over for each that is taken, 10 without one.
set -eu

cd "$(dirname "$0")/.."
me=asan
. scripts/checked.sh
need gcc "install it for its libasan"
need cargo "sh scripts/setup.sh says how to get it"
need lua5.4 "sh scripts/setup.sh installs it"
runtime=$(gcc -print-file-name=libasan.so)
[ -f "$runtime" ] || { echo "asan: gcc has no libasan.so (package libgcc-12-dev or its like)" >&2 && exit 1; }
case $(uname -sm) in
"Linux x86_64" | "Linux aarch64") target=$(uname -m)-unknown-linux-gnu ;;
*) echo "asan: there is no runtime to preload on $(uname -sm)" >&2 && exit 1 ;;
esac

build=${CARGO_TARGET_DIR:-target}/asan
if ! RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo build --quiet --locked --lib --target "$target" \
    --features lua54 --target-dir "$build"; then
    echo "asan: this rustc builds nothing with -Zsanitizer=address" >&2
    exit 1
fi
# The frames of an instrumented library are larger: how deep it nests on a stack of 8 MB is another question.
filtered='--filter-out=use up the machine'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$build/$target/debug/libfkrpc.so" "$work/fkrpc.so"
if [ "${1:-}" = chaos ]; then
    LUA_CPATH="$work/?.so;;"
    # A report of a child goes to a file, since nobody looks at how it ends where a fault has killed it. One of the faults
    # is a SIGSEGV that somebody sends: that one ends a child as it does without the sanitizer.
    LUA_CPATH_5_4=$LUA_CPATH FKRPC_CHAOS=1 LUA_CPATH=$LUA_CPATH LD_PRELOAD=$runtime \
        ASAN_OPTIONS=detect_leaks=0:abort_on_error=0:exitcode=99:handle_segv=0:log_path="$work/report" \
        lua5.4 scripts/chaos.lua "${2:-1}" || failed=yes
    for report in "$work"/report*; do
        [ -f "$report" ] || continue
        cat "$report" >&2
        failed=yes
    done
    [ -z "${failed:-}" ] || { echo "asan: FAILED" >&2 && exit 1; }
    echo "asan: no reports"
    exit 0
fi
# What waits for many things at once, and what forks: memcheck would follow each child with its own interpreter.
SPECS="$SPECS loop loop_peers loop_timers loop_watch loop_finalizers concurrency cancel signals pool pool_recycle
pool_waits pool_prefork zygote zygote_fork"
checked "$work/fkrpc.so" "${1:-10}" env LD_PRELOAD="$runtime" ASAN_OPTIONS=detect_leaks=0:abort_on_error=0:exitcode=99:handle_segv=0 \
    lua5.4
