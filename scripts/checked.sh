# shellcheck shell=sh
# What scripts/asan.sh and scripts/valgrind.sh have in common: what they ask for and run, and where documents are.
#
# It decides nothing about how Lua is started: `checked LIBRARY STRIDE COMMAND...` runs everything behind COMMAND.

need() {
    command -v "$1" > /dev/null 2>&1 || { echo "$me: $1 is missing; $2" >&2 && exit 1; }
}

# Specs of all that reads bytes or moves them to and from Lua. Those that limit memory, measure it or the time, or build
# programs, are about something else.
SPECS='json_decode json_encode json_options cbor cbor_tags compat_json compat_cbor compat_jsonrpc collector reentrant
close recover peer peer_end peer_nesting peer_wire jsonrpc replay freekill_wire fs fs_atomic fs_root random
random_vectors'

checked() {
    library=$1
    stride=$2
    shift 2
    folder=${library%/*}
    FKRPC_SPEC_LIBRARY=$library
    LUA_CPATH="$folder/?.so;;"
    LUA_CPATH_5_4=$LUA_CPATH
    export FKRPC_SPEC_LIBRARY LUA_CPATH LUA_CPATH_5_4
    for spec in $SPECS; do
        case " ${without:-} " in *" $spec "*) continue ;; esac
        printf '%s: spec/%s_spec.lua\n' "$me" "$spec"
        if ! "$@" scripts/spec.lua --run "spec/${spec}_spec.lua" "${filtered:---verbose}" > "$folder/out" 2>&1; then
            tail -n 60 "$folder/out" >&2
            echo "$me: spec/${spec}_spec.lua FAILED" >&2
            exit 1
        fi
    done
    # Documents and traces are no part of the sources.
    folders=
    for candidate in "${FKRPC_CORPORA:-../shared/corpora}" "${FKRPC_TRACES:-../shared/traces}"; do
        [ ! -d "$candidate" ] || folders="$folders $candidate"
    done
    if [ -n "$folders" ]; then
        printf '%s: corpora: ' "$me"
        # shellcheck disable=SC2086 # a list of folders
        if ! "$@" spec/corpora.lua "$stride" $folders > "$folder/out" 2>&1; then
            tail -n 60 "$folder/out" >&2
            echo "$me: the corpora FAILED" >&2
            exit 1
        fi
        cat "$folder/out"
    else
        echo "$me: no corpora here (FKRPC_CORPORA, FKRPC_TRACES): specs alone"
    fi
    echo "$me: no reports"
}
