# Sourced by the other scripts: logging to stderr, so that a command's own output stays clean.

# _log [DEBUG|INFO|WARNING|ERROR] TEXT...: JUPYTER_DOCKER_STACKS_QUIET silences what is neither a warning nor an error.
# These are yellow and red at a terminal, unless NO_COLOR is set.
_log() {
    local level=INFO start='' end=''
    case "$1" in
        DEBUG | INFO | WARNING | ERROR) level=$1; shift ;;
    esac
    if [[ "${level}" != WARNING && "${level}" != ERROR ]]; then
        [[ -z "${JUPYTER_DOCKER_STACKS_QUIET}" ]] || return 0
    elif [[ -t 2 && -z "${NO_COLOR}" ]]; then
        [[ "${level}" == ERROR ]] && start=$'\e[31m' || start=$'\e[33m'
        end=$'\e[0m'
    fi
    printf '%s%s[%(%F %T)T] %s%s\n' "${start}" "${level}" -1 "$*" "${end}" >&2
}
_log_info() { _log INFO "$@"; }
_log_warn() { _log WARNING "$@"; }
_log_error() { _log ERROR "$@"; }
