# Sourced by the other scripts: logging to stderr, so that a command's own output stays clean.

# _log [INFO|WARNING|ERROR] TEXT...: JUPYTER_DOCKER_STACKS_QUIET silences what is neither a warning nor an error.
_log() {
    local level=INFO
    case "$1" in
        INFO | WARNING | ERROR) level=$1; shift ;;
    esac
    if [[ "${level}" != INFO || -z "${JUPYTER_DOCKER_STACKS_QUIET}" ]]; then
        printf '%s[%(%F %T)T] %s\n' "${level}" -1 "$*" >&2
    fi
}
_log_info() { _log INFO "$@"; }
_log_warn() { _log WARNING "$@"; }
_log_error() { _log ERROR "$@"; }
