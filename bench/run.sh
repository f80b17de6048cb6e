#!/bin/sh
# The benchmarks: bench/run.sh [codec] [compat] [channel] [clock] [large] [load] [random] [replay] [game] [loop] [pool]
# [spawn] [watchdog] [zygote]; without a name all of them.
#
# LUA=lua5.3 chooses the interpreter (default lua5.4), CPU=0 the processor that round trips are pinned to, ROUNDS and
# TRIPS how long they take. Nothing here but "channel", "codec", "compat", "large", "load", "loop", "pool", "spawn",
# "watchdog" and "zygote" passes or fails by a figure: machines differ, ratios within a run do not, and neither do instruction counts.
set -eu

cd "$(dirname "$0")/.."
PATH=$PATH:${HOME:-/root}/.cargo/bin
LUA=${LUA:-lua5.4}
out=build/bench

has_module() { "$LUA" -e "require '$1'" >/dev/null 2>&1; }

# Children find the library the way any program does, by the path.
library_path() {
    version=$("$LUA" -e 'io.write(rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:gsub("%D", ""), "")')
    LUA_CPATH="$PWD/build/$version/?.so;;"
    export LUA_CPATH
    for variable in LUA_CPATH_5_2 LUA_CPATH_5_3 LUA_CPATH_5_4 LUA_CPATH_5_5; do
        unset "$variable"
    done
}

# The table of $LUA, which has bounds under Lua 5.4; then those of LuaJIT and Lua 5.1, which have none.
codec() {
    echo "== codec"
    status=0
    "$LUA" bench/codec.lua || status=1
    for other in luajit lua5.1; do
        if [ "$other" != "$LUA" ] && command -v "$other" >/dev/null; then
            echo "== codec, $other"
            "$other" scripts/build.lua
            (LUA=$other && library_path && "$other" bench/codec.lua) || status=1
        fi
    done
    return $status
}

compat() {
    echo "== compat"
    traces=${FKRPC_TRACES:-../shared/traces}
    if [ ! -f "$traces/h8.cbor.jsonl.gz" ]; then
        echo "there are no recordings in $traces: nothing to encode"
        return
    fi
    "$LUA" bench/compat_cbor.lua "$traces"/*.cbor.jsonl.gz
}

# What docs/design.md says of the channel, with its bounds: 11 shuffled rounds of 10000 round trips; both processes
# on one processor.
channel() {
    echo "== channel"
    mkdir -p "$out"
    ${CC:-cc} -O2 -Wall -Wextra -o "$out/echo" bench/echo.c
    ${CC:-cc} -O2 -Wall -Wextra -o "$out/rtt" bench/rtt.c bench/child.c
    ${CC:-cc} -O2 -Wall -Wextra -o "$out/flood" bench/flood.c
    "$LUA" bench/requests.lua "$out"
    {
        echo "C_echo plain $out/request.json $out/echo"
        echo "Lua_echo plain $out/request.json $LUA bench/child.lua echo"
        echo "fkrpc plain $out/request.json $LUA bench/child.lua fkrpc"
        echo "fkrpc_watching plain $out/request.json $LUA bench/child.lua watching"
        echo "fkrpc_in_4_pieces pieces $out/request.json $LUA bench/child.lua fkrpc"
        echo "fkrpc_freekill_cbor plain $out/request.cbor $LUA bench/child.lua freekill"
        echo "NEST10_fkrpc nested $out/nest.json $LUA bench/child.lua fkrpc"
        for codec in cjson dkjson; do
            if has_module $codec; then
                echo "$codec plain $out/request.json $LUA bench/child.lua $codec"
                echo "NEST10_$codec nested $out/nest.json $LUA bench/child.lua $codec"
            else
                echo "bench: $codec is not installed for $LUA and left out" >&2
            fi
        done
        echo "bound p50 fkrpc C_echo 1.25"
        echo "bound p50 fkrpc Lua_echo 1.03"
        echo "bound p50 fkrpc_watching C_echo 1.35"
        echo "bound p50 NEST10_fkrpc C_echo 14.5"
        echo "bound cpu fkrpc_in_4_pieces fkrpc 1.3"
        ! has_module dkjson || echo "bound above dkjson fkrpc 10"
    } >"$out/plan"
    status=0
    "$out/rtt" "${ROUNDS:-11}" "${TRIPS:-10000}" "${CPU:-0}" <"$out/plan" || status=1
    echo
    if command -v taskset >/dev/null; then
        taskset -c "${CPU:-0}" "$LUA" bench/channel.lua "$out" "--rounds=${ROUNDS:-7}" || status=1
    else
        "$LUA" bench/channel.lua "$out" "--rounds=${ROUNDS:-7}" || status=1
    fi
    return $status
}

game() {
    echo "== game"
    recording=${FKRPC_TRACES:-../shared/traces}/h8.cbor.jsonl.gz
    if [ ! -f "$recording" ]; then
        echo "there is no $recording: the short recording of spec/fixtures is played"
        recording=spec/fixtures/traces/short.cbor.jsonl
    fi
    mkdir -p "$out"
    ${CC:-cc} -O2 -Wall -Wextra -o "$out/game" bench/game.c bench/child.c
    ${CC:-cc} -O2 -Wall -Wextra -o "$out/game_child" bench/game_child.c
    "$LUA" bench/game.lua "$recording" "$out/tape"
    for pieces in 1 4; do
        echo "C $pieces $out/game_child"
        echo "fkrpc.freekill $pieces $LUA bench/game_child.lua"
    done | "$out/game" "${ROUNDS:-7}" "${CPU:-0}" "$out/tape"
}

clock() {
    echo "== clock"
    "$LUA" bench/clock.lua
}

large() {
    echo "== large"
    mkdir -p "$out"
    ${CC:-cc} -O2 -Wall -Wextra -shared -fPIC -o "$out/heap.so" bench/heap.c || rm -f "$out/heap.so"
    "$LUA" bench/large.lua --heap="$out/heap.so"
}

load() {
    echo "== load"
    "$LUA" bench/load.lua
}

random() {
    echo "== random"
    "$LUA" bench/random.lua
}

replay() {
    echo "== replay"
    # Both processes on one processor: across two, waking the other one costs more than all the rest, now and then.
    if command -v taskset >/dev/null; then
        taskset -c "${CPU:-0}" "$LUA" bench/replay.lua
    else
        "$LUA" bench/replay.lua
    fi
}

spawn() {
    echo "== spawn"
    mkdir -p "$out"
    ${CC:-cc} -O2 -Wall -Wextra -o "$out/spawn" bench/spawn.c
    "$LUA" bench/spawn.lua "$out/spawn"
}

# A bound: what a call through a loop of four children costs above a plain one.
loop() {
    echo "== loop"
    pin=
    if command -v taskset >/dev/null; then pin="taskset -c ${CPU:-0}"; fi
    $pin "$LUA" bench/loop.lua
}

watchdog() {
    echo "== watchdog"
    "$LUA" bench/watchdog.lua
}

pool() {
    echo "== pool"
    "$LUA" bench/pool.lua
}

zygote() {
    echo "== zygote"
    "$LUA" bench/zygote.lua
}

all="codec compat channel clock large load random replay game loop pool spawn watchdog zygote"
[ $# -gt 0 ] || set -- $all
for word in "$@"; do
    case " $all " in
    *" $word "*) ;;
    *) echo "usage: bench/run.sh [NAME]...; names: $all" >&2 && exit 2 ;;
    esac
done
"$LUA" scripts/build.lua
library_path
for word in "$@"; do
    $word
done
