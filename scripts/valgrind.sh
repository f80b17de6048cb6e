#!/bin/sh
# Valgrind's memcheck over the library as it is built for lua5.4: sh scripts/valgrind.sh [STRIDE].
#
# Programs that specs start run outside of it. STRIDE is how many messages of the traces are passed over for each that
# is taken, 300 without one.
set -eu

cd "$(dirname "$0")/.."
me=valgrind
. scripts/checked.sh
need valgrind "install the package of that name"
need lua5.4 "sh scripts/setup.sh installs it"

lua5.4 scripts/build.lua > /dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp build/lua54/fkrpc.so "$work/fkrpc.so"
# A replay takes longer than all the others together; messages of the traces come with the corpora. Roots want
# openat2(2), which valgrind 3.19 does not know.
without='replay fs_root'
# Leaks are not looked for: see spec/memory_spec.lua.
checked "$work/fkrpc.so" "${1:-300}" \
    valgrind --quiet --error-exitcode=99 --leak-check=no --main-stacksize=8388608 lua5.4
