#!/bin/sh
# Checks that a library is built for one Lua or none: every pair of Lua features is refused with our own words, and the
# core builds without any.
#
# The crate is looked at by rustc alone: under cargo the bindings' build script refuses first, with theirs.
set -eu

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
features='lua51 lua52 lua53 lua54 lua55 luajit'

# Names of dependencies do not resolve here; only the one message is looked for.
refuses() {
    # shellcheck disable=SC2086 # a list of words
    rustc --edition 2021 --crate-type lib --crate-name fkrpc --emit=metadata --out-dir "$work" $1 src/lib.rs \
        > "$work/said" 2>&1 && return 1
    grep -q 'choose one Lua' "$work/said"
}

pairs=0
# shellcheck disable=SC2086 # a list of words
set -- $features
while [ $# -gt 0 ]; do
    first=$1
    shift
    ! refuses "--cfg feature=\"$first\"" || { echo "one_lua: $first alone is refused" >&2 && exit 1; }
    for second in "$@"; do
        refuses "--cfg feature=\"$first\" --cfg feature=\"$second\"" ||
            { echo "one_lua: $first with $second is not refused" >&2 && exit 1; }
        pairs=$((pairs + 1))
    done
done
[ "$pairs" = 15 ] || { echo "one_lua: $pairs pairs were tried, there are 15" >&2 && exit 1; }

if cargo check --locked --features lua53,lua54 > "$work/said" 2>&1; then
    echo "one_lua: cargo builds lua53 with lua54" >&2
    exit 1
fi
grep -qE 'choose one Lua|only one of the features' "$work/said" || { cat "$work/said" >&2 && exit 1; }
cargo check --locked
echo "one_lua: $pairs pairs refused, no feature accepted"
