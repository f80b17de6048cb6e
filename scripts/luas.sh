# shellcheck shell=sh
# The Lua versions fkrpc is built for, for scripts that source this file: one row per Lua with the cargo feature (also
# the folder's name under build/), the interpreter, and the version that LuaRocks knows it by.
#
# It decides nothing: `present` lists the rows whose interpreter is on the PATH.

LUAS='lua54 lua5.4 5.4
lua53 lua5.3 5.3
lua51 lua5.1 5.1
luajit luajit 5.1
lua52 lua5.2 5.2
lua55 lua5.5 5.5'

present() {
    printf '%s\n' "$LUAS" | while read -r name lua version; do
        if command -v "$lua" >/dev/null 2>&1; then
            echo "$name $lua $version"
        fi
    done
}

# luarocks_for VERSION INTERPRETER ARGUMENT...: LuaRocks serving that Lua. The interpreter is named because LuaRocks
# takes lua5.1 for LuaJIT's 5.1 too.
luarocks_for() {
    luarocks_version=$1
    luarocks_lua=$(command -v "$2")
    shift 2
    luarocks --lua-version="$luarocks_version" LUA="$luarocks_lua" "$@"
}

# sha256 FILE...: lines of "sum  file".
sha256() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}
