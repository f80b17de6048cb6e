#!/bin/sh
# The specs under Lua 5.4's collectors: sh scripts/gc.sh [MODE...] (`make spec-gc`), MODE being generational, incremental
# or stress; all three without one. FKRPC_GC_SPECS="peer cancel" takes those specs alone.
#
# generational and incremental run each spec as it is. stress makes a full collection at every step of the collector:
# whenever anything is allocated, in the specs' process and in all programs they start. Every spec has a process of its
# own, so that the heap that is collected again and again is small.
set -eu

cd "$(dirname "$0")/.."
lua=${LUA:-lua5.4}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Specs that measure what a collector changes, not run with stress:
# - memory: margins of Lua's heap and the process's, with thousands of rounds each.
# - limits: the process's memory before and after giants, and CPU time.
# - exhausted_sweep: programs with a little less memory each time, hundreds of times; with stress they take a minute each.
MARGINS='memory limits exhausted_sweep'
# Thousands of values and assertions of their own: a collection of busted's three megabytes at each takes minutes. They
# have one after every 4 % of the heap in the specs' process, and at every step in the programs that they start.
LARGE='cbor cbor_tags clock codec_fuzz codec_table collector compat_cbor freekill_replay freekill_wire
fs_root json_decode json_style json_suite random random_vectors replay'

specs=${FKRPC_GC_SPECS:-$(cd spec && for file in *_spec.lua; do echo "${file%_spec.lua}"; done)}
failed=
for mode in ${*:-generational incremental stress}; do
    count=0
    for spec in $specs; do
        pause=
        if [ "$mode" = stress ]; then
            case " $MARGINS " in *" $spec "*) continue ;; esac
            case " $LARGE " in *" $spec "*) pause=104 ;; esac
        fi
        count=$((count + 1))
        started=$(date +%s)
        if ! FKRPC_GC=$mode FKRPC_GC_PAUSE=$pause timeout "${FKRPC_GC_LIMIT:-900}" "$lua" scripts/spec.lua \
            "spec/${spec}_spec.lua" > "$work/out" 2>&1; then
            grep -av '^[+]*fkrpc: ' "$work/out" | tail -n 40 >&2
            echo "gc: spec/${spec}_spec.lua FAILED with $mode" >&2
            failed="$failed $spec($mode)"
        fi
        [ -z "${FKRPC_GC_TIMES:-}" ] || echo "gc: $mode: $spec $(($(date +%s) - started)) s"
    done
    echo "gc: $mode: $count specs"
done
[ -z "$failed" ] || { echo "gc: failed:$failed" >&2 && exit 1; }
