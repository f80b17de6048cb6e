#!/bin/sh
# LuaRocks from end to end for Lua 5.4, 5.3, 5.1 and LuaJIT (and 5.2 where there is one): make, test, pack, and the
# packed rock installed into an empty tree on a PATH without cargo, then loaded by the stock interpreter.
#
# Everything is installed into temporary trees. The libraries come from the same target folders as the other tests', so
# cargo compiles nothing that is there already.
set -eu

cd "$(dirname "$0")/.."
. scripts/luas.sh
root=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rockspec=rockspec/fkrpc-dev-1.rockspec
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)

fail() {
    echo "packaging: FAILED: $*" >&2
    exit 1
}

# loads TREE LUA VERSION NAME: `require "fkrpc"` in an empty folder finds the library of that tree, and no other.
loads() {
    mkdir -p "$work/empty"
    cmp "$1/lib/lua/$3/fkrpc.so" "build/$4/fkrpc.so" || fail "$4: the tree holds another library than build/$4"
    said=$(cd "$work/empty" &&
        LUA_PATH="$1/share/lua/$3/?.lua" LUA_CPATH="$1/lib/lua/$3/?.so" LUA_INIT='' \
            "$2" -e 'print(require("fkrpc")._VERSION)') || fail "$4: the installed library does not load"
    [ "$said" = "fkrpc $version" ] || fail "$4: the installed library says '$said', Cargo.toml says '$version'"
}

# carries TREE VERSION NAME: what the rock brings beside the library.
carries() {
    rock=$1/lib/luarocks/rocks-$2/fkrpc/dev-1
    [ -f "$rock/docs/install.md" ] || fail "$3: the rock has no docs/install.md"
    cmp "$rock/conf/LICENSE" LICENSE || fail "$3: the rock has no licence"
    [ ! -d types ] || [ -d "$rock/types" ] || fail "$3: types/ is not among the rockspec's copy_directories"
    said=$(cd "$work/empty" && LUA_INIT='' "$1/bin/fkrpc" --version) || fail "$3: the installed command does not run"
    [ "$said" = "fkrpc $version" ] || fail "$3: the installed command says '$said'"
    for part in lua/fkrpc/command/*.lua; do
        [ -f "$1/share/lua/$2/${part#lua/}" ] || fail "$3: $part is not among the rockspec's install.lua"
    done
}

# A PATH with every program of this one but Rust's.
mkdir "$work/bin"
echo "$PATH" | tr : '\n' | while read -r folder; do
    for program in "$folder"/*; do
        case ${program##*/} in
        cargo* | rust* | '*') ;;
        *) [ -e "$work/bin/${program##*/}" ] || ln -s "$program" "$work/bin/${program##*/}" 2>/dev/null || : ;;
        esac
    done
done
if PATH=$work/bin command -v cargo > /dev/null || PATH=$work/bin command -v rustc > /dev/null; then
    fail "the PATH made to be without cargo has one"
fi

luarocks lint "$rockspec" || fail "luarocks lint"
for name in lua54 lua53 lua51 luajit; do
    present | grep -q "^$name " || fail "no interpreter for $name (sh scripts/setup.sh test)"
done
present | grep -v '^lua55 ' > "$work/luas"

while read -r name lua lua_version; do
    echo "packaging: $name: make"
    luarocks_for "$lua_version" "$lua" --tree="$work/made-$name" make "$rockspec" < /dev/null || fail "$name: luarocks make"
    loads "$work/made-$name" "$lua" "$lua_version" "$name"
    carries "$work/made-$name" "$lua_version" "$name"

    # The specs themselves run elsewhere; here it is the way through LuaRocks that is tried, with one file of them.
    echo "packaging: $name: test"
    luarocks_for "$lua_version" "$lua" test "$rockspec" -- --lua="$lua" spec/symbols_spec.lua < /dev/null > "$work/test.log" 2>&1 ||
        { cat "$work/test.log"; fail "$name: luarocks test"; }
    grep -q "build/$name/fkrpc.so" "$work/test.log" || fail "$name: luarocks test ran with another Lua"
    grep -q "^3 successes / 0 failures / 0 errors" "$work/test.log" || { cat "$work/test.log"; fail "$name: luarocks test"; }
done < "$work/luas"

# shellcheck disable=SC2046 # a list of words
sh scripts/dist.sh "$work/dist" $(cut -d' ' -f1 "$work/luas") > "$work/dist.log" 2>&1 ||
    { cat "$work/dist.log"; fail "dist"; }
(cd "$work/dist" && sha256 -c SHA256SUMS) || fail "the sums of dist"

while read -r name lua lua_version; do
    echo "packaging: $name: install the packed rock without cargo"
    set -- "$work/dist/$name"/fkrpc-dev-1.*.rock
    [ -f "$1" ] || fail "$name: luarocks pack made no rock"
    # From an empty folder, so that nothing of the project is at hand.
    (cd "$work/empty" && PATH=$work/bin luarocks_for "$lua_version" "$lua" --tree="$work/rock-$name" install "$1" < /dev/null) ||
        fail "$name: luarocks install of the packed rock"
    loads "$work/rock-$name" "$lua" "$lua_version" "$name"
    carries "$work/rock-$name" "$lua_version" "$name"
    cmp "$work/dist/$name/fkrpc.so" "build/$name/fkrpc.so" || fail "$name: the plain library in dist is another one"
done < "$work/luas"
echo "packaging: passed for$(cut -d' ' -f1 "$work/luas" | tr '\n' ' ' | sed 's/^/ /')in $root"
