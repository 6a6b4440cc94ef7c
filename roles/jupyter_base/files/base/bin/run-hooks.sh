# Sourced with one directory: its *.sh are sourced, its other executables run, in the order of their names.
# A hook that fails is logged and the start goes on.

declare -F _log > /dev/null || source /usr/local/bin/_docker_stacks_log.sh

if [[ $# -ne 1 ]]; then
    _log_error "Should pass exactly one directory"
    return 1
fi
if [[ ! -d "$1" ]]; then
    _log_error "Directory $1 doesn't exist or is not a directory"
    return 1
fi

# Sourced hooks may set or leave the shell's errexit as they like: it is off between them, and put back at the end.
case "$-" in
    *e*) _hooks_errexit=-e ;;
    *) _hooks_errexit=+e ;;
esac
set +e

_log_info "Running hooks in: $1 as uid: ${EUID} gid: $(id -g)"
for _hook in "$1"/*; do
    case "${_hook}" in
        *.sh)
            [[ -e "${_hook}" ]] || continue
            _log_info "Sourcing shell script: ${_hook}"
            source "${_hook}" || _log_error "${_hook} has failed, continuing execution"
            set +e
            ;;
        *)
            [[ -e "${_hook}" ]] || continue
            if [[ -x "${_hook}" ]]; then
                _log_info "Running executable: ${_hook}"
                "${_hook}" || _log_error "${_hook} has failed, continuing execution"
            else
                _log_info "Ignoring non-executable: ${_hook}"
            fi
            ;;
    esac
done
_log_info "Done running hooks in: $1"
set "${_hooks_errexit}"
unset _hook _hooks_errexit
