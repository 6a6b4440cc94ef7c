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

# Off while hooks run, and then as it was: a hook that fails must not end the start, and what a sourced hook does
# with errexit is its own affair. A stack, since a hook may source this file.
_hooks_options+=("$-")
set +e

_log_info "Running hooks in: $1 as uid: ${EUID} gid: $(id -g)"
for _hook in "$1"/*; do
    if [[ ! -e "${_hook}" ]]; then
        continue
    elif [[ "${_hook}" == *.sh ]]; then
        _log_info "Sourcing shell script: ${_hook}"
        source "${_hook}"
    elif [[ -x "${_hook}" ]]; then
        _log_info "Running executable: ${_hook}"
        "${_hook}"
    else
        _log_info "Ignoring non-executable: ${_hook}"
    fi
    _hook_result=$?
    set +e
    if [[ ${_hook_result} -ne 0 ]]; then
        _log_error "${_hook} has failed, continuing execution"
    fi
done
_log_info "Done running hooks in: $1"
if [[ "${_hooks_options[-1]}" == *e* ]]; then
    set -e
fi
unset _hook _hook_result '_hooks_options[-1]'
