#!/usr/bin/env bash
# Puts into a home directory what the image has for one in /opt/default-home, and a mount may hide.
# Nothing that is there is touched, and no failure ends the start.
source /usr/local/bin/_docker_stacks_log.sh

if [[ $# -lt 1 || $# -gt 2 ]]; then
    _log_error "Usage: ${0##*/} <target_home> [<owner>]"
    exit 1
fi
if [[ ! -d /opt/default-home ]]; then
    _log_info "Backup directory /opt/default-home doesn't exist, nothing to restore"
    exit 0
fi

copy=(cp --archive --no-target-directory)
[[ -n "$2" ]] || copy+=(--no-preserve=ownership)
shopt -s dotglob nullglob
for entry in /opt/default-home/*; do
    target="$1/${entry##*/}"
    if [[ -e "${target}" || -L "${target}" ]]; then
        _log_info "Skipping ${target}, it already exists"
        continue
    fi
    _log_info "Populating missing ${target} from ${entry}"
    if ! "${copy[@]}" "${entry}" "${target}"; then
        if [[ -e "${target}" ]]; then
            _log_info "Skipping ${target}, it appeared concurrently"
        else
            _log_warn "Failed to populate ${target}"
        fi
    elif [[ -n "$2" ]] && ! chown --recursive --no-dereference "$2" "${target}"; then
        _log_warn "Failed to change the owner of ${target}"
    fi
done
