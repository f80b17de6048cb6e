#!/bin/sh
# Builds and runs demo/demo.lua, or another script, with that library: sh scripts/demo.sh [LUA [SCRIPT [ARGUMENT]...]].
#
# It installs nothing: the demo, and every process it starts, finds the library through LUA_CPATH.
set -eu

cd "$(dirname "$0")/.."
lua=${1:-lua5.4}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- demo/demo.lua
[ -f "$1" ] || { echo "demo: there is no $1 in $(pwd)" >&2 && exit 1; }
library=$("$lua" scripts/build.lua | sed -n 's/^fkrpc: //p')
[ -n "$library" ] || exit 1
# The variable with a version, where it is set, goes before the plain one.
unset LUA_CPATH_5_2 LUA_CPATH_5_3 LUA_CPATH_5_4 LUA_CPATH_5_5
LUA_CPATH="${library%/*}/?.so;;" exec "$lua" "$@"
