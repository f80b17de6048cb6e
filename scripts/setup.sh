#!/bin/sh
# Sets up what building (`demo`), that and plotting (`plot`), or everything (`test`) needs:
# sh scripts/setup.sh [demo|plot|test].
#
# As root on Debian or Ubuntu it installs missing packages with apt; anyone else is told the one line to run. It never
# replaces a Rust that is there, only names one that is too old.
set -eu

need=1.85
kind=${1:-demo}
case $kind in
demo | plot | test) ;;
*) echo "usage: sh scripts/setup.sh [demo|plot|test]" >&2 && exit 2 ;;
esac
PATH=$PATH:${HOME:-/root}/.cargo/bin

has() { command -v "$1" >/dev/null 2>&1; }
has_module() { "$1" -e "require '$2'" >/dev/null 2>&1; }

# The packages that are missing, by what can be seen: a command or a module that does not answer.
missing_packages() {
    has cc || echo gcc libc6-dev
    has lua5.4 || echo lua5.4
    has luarocks || echo luarocks
    { has lua5.4 && has_module lua5.4 busted; } || echo lua-busted
    [ "$kind" != plot ] || has gnuplot || echo gnuplot-nox
    [ "$kind" = test ] || return 0
    has lua5.3 || echo lua5.3
    has lua5.1 || echo lua5.1
    has luajit || echo luajit
    has luacheck || echo lua-check
    has nm || echo binutils
    has strace || echo strace
    # spec/clients.sh installs other people's clients with them.
    { has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null; } || echo python3-venv
    has node || echo nodejs
    has npm || echo npm
    # Not every release still has 5.2; it is tested where there is one.
    if has lua5.2 || [ -n "$(candidate lua5.2)" ]; then
        has lua5.2 || echo lua5.2
        headers 5.2
    fi
    headers 5.1
    headers 5.3
    headers 5.4
}

# fkrpc is built without Lua's headers, but LuaRocks 3.8 refuses to build any rock until it has seen lua.h.
headers() {
    ! has apt-get || [ -f "/usr/include/lua$1/lua.h" ] || echo "liblua$1-dev"
}

# The version of a package that apt would install, or nothing.
candidate() {
    has apt-cache || return 0
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p' | grep -v '(none)' || :
}

# at_least VERSION: whether it is no older than $need.
at_least() {
    major=$(echo "$1" | cut -d. -f1)
    minor=$(echo "$1" | cut -d. -f2 | sed 's/[^0-9].*//')
    [ "${major:-0}" -gt 1 ] || { [ "${major:-0}" -eq 1 ] && [ "${minor:-0}" -ge "${need#*.}" ]; }
}

# The packages of a Rust that is new enough: Debian 13 has it as cargo, Debian 12 as cargo-web (from its security
# archive). Nothing where apt has none.
rust_packages() {
    if at_least "$(candidate cargo)"; then
        echo cargo
        [ "$kind" = demo ] || echo rustfmt rust-clippy
    elif at_least "$(candidate cargo-web)"; then
        echo cargo-web rustc-web
        [ "$kind" = demo ] || echo rustfmt-web rust-web-clippy
    fi
}

# What is missing of a Rust that came from apt; a rustup one is left alone.
missing_rust() {
    if ! has cargo; then
        rust_packages
        # Cargo fetches crates over https.
        [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    elif [ "$kind" = test ] && [ "$(command -v cargo)" = /usr/bin/cargo ] && { ! has rustfmt || ! has cargo-clippy; }; then
        rust_packages
    fi
}

advice="get Rust $need or newer: 'apt install cargo' on Debian 13, 'apt install cargo-web rustc-web' on Debian 12 (from \
its security archive), or rustup on any system"

root=no
if [ "$(id -u)" = 0 ] && has apt-get; then
    root=yes
    if [ -n "$(missing_packages)" ] || ! has cargo; then
        apt-get update
    fi
fi
packages=$({ missing_packages; missing_rust; } | tr '\n' ' ')
if [ -n "$packages" ] && [ $root = yes ]; then
    echo "setup: installing $packages"
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
    packages=
fi

ready=yes
if [ -n "$packages" ] && has apt-get; then
    ready=no
    echo "setup: something is missing; run this first:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y $packages" >&2
elif [ -n "$packages" ]; then
    ready=no
    echo "setup: something is missing; install what this system calls: $packages" >&2
fi
if ! has cargo; then
    ready=no
    echo "setup: cargo is missing; $advice" >&2
elif version=$(cargo --version | cut -d' ' -f2) && ! at_least "$version"; then
    ready=no
    echo "setup: cargo $version ($(command -v cargo)) is too old; $advice" >&2
fi
[ $ready = yes ]
