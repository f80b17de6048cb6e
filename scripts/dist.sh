#!/bin/sh
# Makes what can be handed to someone without Rust, for every Lua on this machine:
# sh scripts/dist.sh [FOLDER] [NAME...], by default into dist/, for all of scripts/luas.sh.
#
#   dist/lua54/fkrpc-dev-1.linux-x86_64.rock   a binary rock
#   dist/lua54/fkrpc.so                        the plain library
#   dist/LICENSE
#   dist/SHA256SUMS                            for `sha256sum -c`
#
# It publishes nothing.
set -eu

cd "$(dirname "$0")/.."
. scripts/luas.sh
out=${1:-dist}
[ $# = 0 ] || shift
wanted=$*
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)

present > "$work/luas"
made=
while read -r name lua version; do
    case " $wanted " in
    "  " | *" $name "*) ;;
    *) continue ;;
    esac
    echo "dist: $name"
    mkdir "$out/$name"
    luarocks_for "$version" "$lua" --tree="$work/$name" make rockspec/fkrpc-dev-1.rockspec < /dev/null
    # `luarocks pack` writes into the current folder.
    (cd "$out/$name" && luarocks_for "$version" "$lua" --tree="$work/$name" pack fkrpc < /dev/null)
    cp "build/$name/fkrpc.so" "$out/$name/fkrpc.so"
    made="$made $name"
done < "$work/luas"
[ -n "$made" ] || { echo "dist: no Lua to build for (looked for: $LUAS)" >&2 && exit 1; }
cp LICENSE "$out"
cd "$out"
# Names with a folder and without spaces: made above.
sha256 LICENSE ./*/fkrpc.so ./*/*.rock > "$work/SHA256SUMS"
mv "$work/SHA256SUMS" SHA256SUMS
cat SHA256SUMS
