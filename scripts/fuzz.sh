#!/bin/sh
# Runs fuzz targets one after the other: sh scripts/fuzz.sh [TARGET...] (or `make fuzz`); without names, all of them.
#
# Each runs for FUZZ_TIME seconds (60), or FUZZ_RUNS inputs if that is set. What libFuzzer finds worth keeping goes to
# fuzz/corpus, what fails to fuzz/artifacts; neither is checked in. It installs nothing: it says what is missing.
set -eu

cd "$(dirname "$0")/.."
PATH=$PATH:${HOME:-/root}/.cargo/bin

missing=
command -v cargo-fuzz > /dev/null || missing="$missing
   cargo-fuzz: cargo install cargo-fuzz"
command -v "${CXX:-c++}" > /dev/null || missing="$missing
   a C++ compiler, for libFuzzer: apt install g++"
if [ -n "$missing" ]; then
    echo "fuzz: something is missing; install it first:$missing" >&2
    exit 1
fi

if [ -n "${FUZZ_RUNS:-}" ]; then
    limit=-runs=$FUZZ_RUNS
else
    limit=-max_total_time=${FUZZ_TIME:-60}
fi
[ $# -gt 0 ] || set -- json_differential json_roundtrip cbor_differential cbor_roundtrip messages

# Instrumentation is a nightly option; this lets a stable compiler have it.
export RUSTC_BOOTSTRAP=1
for target in "$@"; do
    case $target in
    json_*) seeds=spec/fixtures/json_suite dict=fuzz/json.dict ;;
    *) seeds=spec/fixtures/cbor dict=fuzz/cbor.dict ;;
    esac
    # A stream of messages is read in many ways, each of which answers every message: short ones tell as much.
    length=512
    [ "$target" != messages ] || length=160
    mkdir -p "fuzz/corpus/$target"
    echo "== $target ($limit)"
    cargo fuzz run "$target" "fuzz/corpus/$target" "$seeds" -- \
        "$limit" -dict="$dict" -max_len="$length" -print_final_stats=1
done
echo "fuzz: no target found anything"
