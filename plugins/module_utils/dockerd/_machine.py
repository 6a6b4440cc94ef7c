# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine has to run an engine on: packages, service manager, files, accounts, and the engine that answers.

Reads only; nothing here changes the machine.
"""

from __future__ import annotations

import contextlib
import grp
import http.client
import importlib.metadata
import json
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from .. import _nvidia
from .._engine import DEFAULT_SOCKET, find
from .._errors import EngineError
from .._gpu import Hardware
from . import _daemon, _packages, _setup

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PID_FILE = "/var/run/docker.pid"
SYSV_PID_FILE = "/var/run/docker-ssd.pid"
BOOT_LINK = "/etc/systemd/system/multi-user.target.wants/docker.service"
ABSENT = ("not-installed", "config-files")  # what dpkg says of packages that are gone
MARK = "STARTED_BY=myjupyter.fleet"  # in the environment of a dockerd that we started
SDK_PYTHONS = ("/opt/myjupyter/venv/bin/python", "/usr/bin/python3", "/usr/libexec/platform-python")
# Where services have flags for dockerd: Fedora's package and init scripts.
OPTION_FILES = ("/etc/sysconfig/docker", "/etc/default/docker")
OPTIONS = r"^\s*(?:OPTIONS|DOCKER_OPTS)=(.*)$"
DATA_ROOT = "/var/lib/docker"
ANSWER_SECONDS = 30
SDK_VERSIONS = "from importlib.metadata import version as v; print(v('docker'), v('requests'))"


def observe(wanted: _setup.Wanted) -> _setup.Found:
    """Everything that a plan depends on. Raises EngineError for an engine that this user may not ask."""
    release = _packages.release(read("/etc/os-release") or "")
    services = service_manager()
    packages, held = _installed(release.family)
    engine = running()
    return _setup.Found(
        release=release,
        root=os.geteuid() == 0,
        services=services,
        packages=packages,
        held=held,
        dockerd=shutil.which("dockerd", path=PATH) or "",
        engine=engine,
        enabled=services != "systemd" or os.path.lexists(BOOT_LINK),
        sdk=_has_sdk(),
        files={path: read(path) for path in _setup.files_of_interest(wanted)},
        users={name: _is_member(name) for name in wanted.users},
        free_space=_free_space(str(wanted.daemon.get("data-root") or _data_root(engine))),
        flags=_flags(engine.pid if engine else 0),
        beside="" if engine else _beside(),
        hardware=Hardware() if wanted.gpus == "none" else _nvidia.look(),
    )


def service_manager() -> str:
    """``systemd`` or ``sysv`` where that is what runs services, else ``none``."""
    if os.path.isdir("/run/systemd/system"):
        return "systemd"
    # The first process of WSL is called init as well, and init scripts work there.
    is_init = (read("/proc/1/comm") or "").strip() == "init"
    return "sysv" if is_init and os.path.exists("/etc/init.d") else "none"


def running() -> _setup.Running | None:
    """The engine that the modules would use on this host, if it answers."""
    address = find({}).url
    if not address.startswith("unix://"):
        return _setup.Running(address)
    path = address[len("unix://") :]
    try:
        about = ask(path, "/info")
    except PermissionError as error:
        raise EngineError(
            f"No permission to use the engine at {path}: become root, or add the remote user to the group docker."
        ) from error
    except socket.timeout as error:
        raise EngineError(
            f"The engine at {path} runs but did not answer within {ANSWER_SECONDS} s: its log may tell why, and "
            "`systemctl restart docker` starts it anew."
        ) from error
    except (OSError, http.client.HTTPException):
        return None
    pid = pid_of(PID_FILE, "dockerd") if os.path.realpath(path) == os.path.realpath(DEFAULT_SOCKET) else 0
    return _setup.Running(
        address=address,
        version=about.get("ServerVersion", ""),
        pid=pid,
        keeper=_keeper(pid),
        data_root=about.get("DockerRootDir", ""),
        live_restore=about.get("LiveRestoreEnabled", False),
        swarm=about.get("Swarm", {}).get("LocalNodeState", "inactive") != "inactive",
        containers=about.get("Containers", 0),
        containers_running=about.get("ContainersRunning", 0),
        outdated=_is_replaced(pid),
        runtimes=frozenset(about.get("Runtimes") or ()),
    )


def ask(path: str, url: str, timeout: float = ANSWER_SECONDS) -> Mapping[str, Any]:
    """An engine's answer to GET ``url`` at a socket, without the SDK, which a bare host does not have."""
    with contextlib.closing(_Line(path, timeout)) as line:
        line.request("GET", url)
        answer = line.getresponse()
        body = answer.read()
    if answer.status != 200:
        raise http.client.HTTPException(body.decode(errors="replace"))
    return json.loads(body)


def first_line(path: str, url: str) -> bytes:
    """The first line of an engine's answer that may go on; empty if it ends without one."""
    with contextlib.closing(_Line(path, ANSWER_SECONDS)) as line:
        line.request("GET", url)
        return line.getresponse().readline()


def pid_of(pid_file: str, command: str) -> int:
    """The process that a pid file names, if it is alive and such a command; else 0."""
    pid = (read(pid_file) or "").strip()
    return int(pid) if pid.isdigit() and (read(f"/proc/{pid}/comm") or "").strip() == command else 0


def read(path: str) -> str | None:
    """A file's text; None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return None
    except PermissionError:
        # Only root's own files: a plan that would change anything asks for root first.
        return None


def run(command: list[str]) -> tuple[int, str]:
    """A command's exit status and output, in the C locale."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": PATH}
    done = subprocess.run(  # pylint: disable=ansible-bad-function  # no AnsibleModule comes down here
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace").strip()


class _Line(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _keeper(pid: int) -> str:
    """Who looks after the dockerd with this process id; 0 stands for one that is not in sight."""
    if not pid:
        return "elsewhere"
    if "docker.service" in (read(f"/proc/{pid}/cgroup") or "") or pid_of(SYSV_PID_FILE, "dockerd") == pid:
        return "service"
    return "us" if MARK in (read(f"/proc/{pid}/environ") or "").split("\0") else "hand"


def _is_replaced(pid: int) -> bool:
    """Whether the program that a process runs is no longer the one on the disk; only root can tell."""
    try:
        return bool(pid) and os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")
    except OSError:
        return False


def _installed(family: str) -> tuple[dict[str, str], frozenset[str]]:
    """Versions of the known packages, empty for one whose installation did not end, and which of them are held."""
    if family == "redhat":
        form = "%{NAME} %{VERSION}-%{RELEASE} installed install\\n"
        lines = run(["rpm", "-q", "--qf", form, *_packages.KNOWN])[1].splitlines()
        locks = f"{read('/etc/dnf/plugins/versionlock.list') or ''}\n{read('/etc/dnf/versionlock.toml') or ''}"
        locked = _packages.locked(locks)
    elif family == "debian":
        form = "${Package} ${Version} ${db:Status-Status} ${db:Status-Want}\\n"
        lines = run(["dpkg-query", "-W", "-f", form, *_packages.KNOWN])[1].splitlines()
        locked = [line.split()[0] for line in lines if line.endswith(" hold")]
    else:
        return {}, frozenset()
    parts = [part for part in map(str.split, lines) if len(part) == 4 and part[2] not in ABSENT]
    return {name: version if state == "installed" else "" for name, version, state, _dot in parts}, frozenset(locked)


def _has_sdk() -> bool:
    """Whether this Python, or another that the modules know, has an SDK that works."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        if _packages.fits(importlib.metadata.version("docker"), importlib.metadata.version("requests")):
            return True
    others = (python for python in SDK_PYTHONS if os.path.exists(python) and python != sys.executable)
    answers = (run([python, "-c", SDK_VERSIONS]) for python in others)
    return any(status == 0 and _packages.fits(*text.split()) for status, text in answers)


def _is_member(name: str) -> bool | None:
    """Whether an account is in the group docker; None where there is no such account."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return None
    try:
        return name in grp.getgrnam("docker").gr_mem
    except KeyError:
        return False


def _data_root(engine: _setup.Running | None) -> str:
    """Where an engine keeps its data, unless another place is declared."""
    if engine and engine.data_root:
        return engine.data_root
    with contextlib.suppress(ValueError, AttributeError):  # a broken file is told of with the plan
        return str(json.loads(read(_daemon.DAEMON_JSON) or "{}").get("data-root") or DATA_ROOT)
    return DATA_ROOT


def _flags(pid: int) -> frozenset[str]:
    """What dockerd is told by flags: those that it runs with, else those that its service is going to give it."""
    words = (read(f"/proc/{pid}/cmdline") or "").split("\0") if pid else []
    if not pid:
        said = "\n".join(read(path) or "" for path in OPTION_FILES)
        words = [word for line in re.findall(OPTIONS, said, re.M) for word in shlex.split(line.replace('"', " "))]
    return _daemon.keys_of(word[2:].partition("=")[0] for word in words if word.startswith("--"))


def _beside() -> str:
    """The address of an engine that answers the user who became root; empty where there is none."""
    user = os.environ.get("SUDO_UID", "")
    if not user.isdigit() or os.geteuid() != 0:
        return ""
    with contextlib.suppress(KeyError):
        home = pwd.getpwuid(int(user)).pw_dir
        for path in (
            f"/run/user/{user}/docker.sock",
            f"{home}/.docker/run/docker.sock",
            f"{home}/.docker/desktop/docker.sock",
        ):
            with contextlib.suppress(OSError, http.client.HTTPException):
                if ask(path, "/info", timeout=5):
                    return f"unix://{path}"
    return ""


def _free_space(path: str) -> int:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free
