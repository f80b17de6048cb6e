#!/bin/sh
# Official clients against our servers: sh spec/clients.sh [setup|run]. The MCP Python SDK and the LSP client of pygls and
# pytest-lsp talk to the examples, vscode-jsonrpc to spec/clients/server.lua; the versions are pinned in spec/clients.
#
# `setup` installs the clients below build/ and, where that cannot be done, says why and fails: then there is nothing to
# run. It touches nothing outside of build/. The servers are started as clients start them: with a bare environment, so
# that the library is found by Lua's default package.cpath, in the folder they start in.
set -eu

cd "$(dirname "$0")/.."
here=$PWD
clients=$here/build/clients
library=$here/build/lua54

cannot() {
    echo "$1"
    exit 1
}

# is_current NAME FILE...: whether NAME was installed from these very files.
is_current() {
    name=$1
    shift
    [ -f "$clients/$name.from" ] && cat "$@" | cmp -s - "$clients/$name.from"
}

setup() {
    command -v lua5.4 > /dev/null || cannot "lua5.4 is missing"
    command -v python3 > /dev/null || cannot "python3 is missing"
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null ||
        cannot "python3 is older than 3.11 or has no venv (apt install python3-venv)"
    command -v node > /dev/null && command -v npm > /dev/null || cannot "node or npm is missing"
    mkdir -p "$clients/node"
    if ! is_current python spec/clients/requirements.txt; then
        rm -rf "$clients/python" "$clients/python.from"
        { python3 -m venv "$clients/python" &&
            timeout 300 "$clients/python/bin/pip" install --quiet --disable-pip-version-check --no-deps \
                --requirement spec/clients/requirements.txt; } > "$clients/log" 2>&1 ||
            cannot "the Python packages cannot be installed: $(tail -n 1 "$clients/log")"
        cp spec/clients/requirements.txt "$clients/python.from"
    fi
    if ! is_current node spec/clients/package.json spec/clients/package-lock.json; then
        rm -f "$clients/node.from"
        cp spec/clients/package.json spec/clients/package-lock.json "$clients/node"
        (cd "$clients/node" && timeout 300 npm ci --silent --no-audit --no-fund) > "$clients/log" 2>&1 ||
            cannot "the Node packages cannot be installed: $(tail -n 1 "$clients/log")"
        cat spec/clients/package.json spec/clients/package-lock.json > "$clients/node.from"
    fi
}

run() {
    [ -f "$library/fkrpc.so" ] || cannot "clients: build/lua54/fkrpc.so is missing; run: lua5.4 scripts/build.lua"
    python=$clients/python/bin/python
    status=0
    "$python" spec/clients/mcp_client.py "$here/examples/05_mcp_server.lua" "$library" || status=1
    "$python" spec/clients/lsp_client.py "$here/examples/06_lsp_server.lua" "$library" || status=1
    (cd "$clients/node" && node "$here/spec/clients/vscode_jsonrpc.mjs" "$here/spec/clients/server.lua" "$library") ||
        status=1
    return $status
}

case ${1:-all} in
setup | run) "$1" ;;
all) setup && run ;;
*) echo "usage: sh spec/clients.sh [setup|run]" >&2 && exit 2 ;;
esac
