#!/usr/bin/env bash
# The image's entry point: runs the hooks, fits the user to what was asked for, then becomes the command.
set -e
source /usr/local/bin/_docker_stacks_log.sh
_log_info "Entered start.sh with args: $*"
cmd=("$@")  # a hook that is sourced may change what $@ is

# Whether a switch such as GRANT_SUDO is on.
is_on() { [[ "$1" == 1 || "$1" == yes ]]; }

# The numbers of a user of /etc/passwd, as UID:GID, or nothing.
ids_of() {
    local name uid gid
    while IFS=: read -r name _ uid gid _; do
        if [[ "${name}" == "$1" ]]; then
            echo "${uid}:${gid}"
            return
        fi
    done < /etc/passwd
}

unset_listed_variables() {
    local name
    for name in ${JUPYTER_ENV_VARS_TO_UNSET//,/ }; do
        _log_info "Unset ${name} due to JUPYTER_ENV_VARS_TO_UNSET"
        unset "${name}"
    done
    unset JUPYTER_ENV_VARS_TO_UNSET
}

# As root: jovyan becomes NB_USER with NB_UID and NB_GID.
fit_user() {
    if [[ -z "$(ids_of "${NB_USER}")" ]]; then
        if [[ -z "$(ids_of jovyan)" ]]; then
            _log_error "Neither the jovyan user nor '${NB_USER}' exists." \
                "Was this container first started with another NB_USER? Then make a new one."
            exit 1
        fi
        usermod --home "/home/${NB_USER}" --login "${NB_USER}" jovyan
        _log_info "Updated the jovyan user:"
        _log_info "- username: jovyan       -> ${NB_USER}"
        _log_info "- home dir: /home/jovyan -> /home/${NB_USER}"
    fi
    if [[ "${NB_USER}" == root && "${NB_UID}:${NB_GID}" != 0:0 ]]; then
        _log_error "NB_USER=root has the numbers 0:0, not ${NB_UID}:${NB_GID}: set NB_UID=0 and NB_GID=0 too."
        exit 1
    fi
    if [[ "$(ids_of "${NB_USER}")" != "${NB_UID}:${NB_GID}" ]]; then
        _log_info "Update ${NB_USER}'s UID:GID to ${NB_UID}:${NB_GID}"
        groupadd --force --gid "${NB_GID}" --non-unique "${NB_GROUP:-${NB_USER}}"
        # Not usermod --uid: it would change the owner of everything in the home directory, mounts included.
        userdel "${NB_USER}" 2> /dev/null
        useradd --no-log-init --no-create-home --home-dir "/home/${NB_USER}" --shell /bin/bash \
            --non-unique --uid "${NB_UID}" --gid "${NB_GID}" --groups 100 "${NB_USER}"
    fi
    if [[ "${NB_USER}" == root ]]; then
        sed -i 's|^\(root:.*\):/root:|\1:/home/root:|' /etc/passwd
    fi
}

# As root: the home directory of a renamed user is a copy of jovyan's, unless it is there already. Root's own copy is
# root's, who may lack the right to make it anybody else's.
fit_home() {
    local home="/home/${NB_USER}" copy=(cp --archive)
    [[ "${NB_USER}" != root ]] || copy+=(--no-preserve=ownership)
    if [[ "${NB_USER}" == jovyan ]]; then
        return
    fi
    if [[ ! -e "${home}" ]]; then
        _log_info "Attempting to copy /home/jovyan to ${home}..."
        mkdir "${home}"
        if "${copy[@]}" /home/jovyan/. "${home}/"; then
            _log_info "Success!"
        else
            _log_error "Failed to copy data from /home/jovyan to ${home}!"
            exit 1
        fi
    fi
    if [[ "${PWD}/" == /home/jovyan/* ]]; then
        _log_info "Changing working directory to ${home}${PWD#/home/jovyan}"
        cd "${home}${PWD#/home/jovyan}"
    fi
}

# A mounted home directory gets what the image has for one, if it lacks any of it.
fill_home() {
    local entry
    for entry in /opt/default-home/.[!.]* /opt/default-home/*; do
        if [[ -e "${entry}" && ! -e "$1/${entry##*/}" ]]; then
            if [[ -w "$1" ]]; then
                populate-home-dir.sh "$@"
            elif [[ "${EUID}" -eq 0 ]]; then
                _log_warn "No write access to $1, which lacks what the image has for a home directory"
            fi
            return
        fi
    done
}

options() { echo "${1:+(chown options: $1)}"; }

fit_owners() {
    local path
    if is_on "${CHOWN_HOME}"; then
        _log_info "Ensuring /home/${NB_USER} is owned by ${NB_UID}:${NB_GID} $(options "${CHOWN_HOME_OPTS}")"
        chown ${CHOWN_HOME_OPTS} "${NB_UID}:${NB_GID}" "/home/${NB_USER}"
    fi
    for path in ${CHOWN_EXTRA//,/ }; do
        _log_info "Ensuring ${path} is owned by ${NB_UID}:${NB_GID} $(options "${CHOWN_EXTRA_OPTS}")"
        chown ${CHOWN_EXTRA_OPTS} "${NB_UID}:${NB_GID}" "${path}"
    done
}

# Not as root: an entry in /etc/passwd for our number, which much software wants to find.
name_this_user() {
    if id -un &> /dev/null; then
        return
    fi
    _log_info "There is no entry in /etc/passwd for our UID=${UID}. Attempting to fix..."
    if [[ ! -w /etc/passwd ]]; then
        _log_warn "unable to fix missing /etc/passwd entry because we don't have write permission." \
            "Try setting gid=0 with \"--user=${UID}:0\"."
        return
    fi
    _log_info "Renaming old jovyan user to nayvoj ($(ids_of jovyan))"
    local users
    users=$(sed 's/^jovyan:/nayvoj:/' /etc/passwd)
    printf '%s\n' "${users}" "${NB_USER}:x:${UID}:$(id -g)::/home/jovyan:/bin/bash" > /etc/passwd
    _log_info "Added new ${NB_USER} user (${UID}:$(id -g)). Fixed UID!"
    if [[ "${NB_USER}" != jovyan ]]; then
        _log_warn "user is ${NB_USER} but home is /home/jovyan. You must run as root to rename the home directory!"
    fi
}

warn_of_what_only_root_can_do() {
    local ask="container must be started as root to"
    if is_on "${GRANT_SUDO}"; then
        _log_warn "${ask} grant sudo permissions!"
    fi
    if [[ "${NB_USER}" != jovyan && "${NB_USER}" != "$(id -un 2> /dev/null)" ]]; then
        _log_warn "${ask} change the desired user's name with NB_USER=\"${NB_USER}\"!"
    fi
    if [[ "${NB_UID}" != 1000 && "${NB_UID}" != "${UID}" ]]; then
        _log_warn "${ask} change the desired user's id with NB_UID=\"${NB_UID}\"!"
    fi
    if [[ "${NB_GID}" != 100 && "${NB_GID}" != "$(id -g)" ]]; then
        _log_warn "${ask} change the desired user's group id with NB_GID=\"${NB_GID}\"!"
    fi
    if [[ ! -w /home/jovyan ]]; then
        _log_warn "No write access to /home/jovyan." \
            "Try starting the container with group 'users' (100), e.g. using \"--group-add=users\"."
    fi
}

if [[ $# -eq 0 ]]; then
    cmd=(bash)
fi
if [[ "${_START_SH_EXECUTED}" == 1 ]]; then
    _log_warn "start.sh is the default ENTRYPOINT, do not include it in CMD"
    _log_info "Executing the command: ${cmd[*]}"
    exec "${cmd[@]}"
fi
export _START_SH_EXECUTED=1

source /usr/local/bin/run-hooks.sh /usr/local/bin/start-notebook.d

if [[ "${EUID}" -ne 0 ]]; then
    name_this_user
    fill_home /home/jovyan
    warn_of_what_only_root_can_do
    source /usr/local/bin/run-hooks.sh /usr/local/bin/before-notebook.d
    unset_listed_variables
    _log_info "Executing the command: ${cmd[*]}"
    exec "${cmd[@]}"
fi

fit_user
fit_home
fill_home "/home/${NB_USER}" "${NB_UID}:${NB_GID}"
fit_owners
if is_on "${GRANT_SUDO}"; then
    _log_info "Granting ${NB_USER} passwordless sudo rights!"
    echo "${NB_USER} ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/added-by-start-script
fi
source /usr/local/bin/run-hooks.sh /usr/local/bin/before-notebook.d
unset_listed_variables
_log_info "Running as ${NB_USER}: ${cmd[*]}"
export HOME="/home/${NB_USER}" USER="${NB_USER}" LOGNAME="${NB_USER}"
if [[ "${NB_USER}" == root ]]; then
    exec "${cmd[@]}"
fi
exec setpriv --reuid "${NB_UID}" --regid "${NB_GID}" --init-groups "${cmd[@]}"
