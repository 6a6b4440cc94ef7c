# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dockerd: its files written, itself started, reloaded or restarted, under systemd, an init script, or nothing at all.

A configuration that dockerd refuses is taken back, and the engine runs as it did before.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator

from .._engine import DEFAULT_SOCKET
from .._errors import EngineError
from . import _daemon, _setup
from ._machine import MARK, PATH, PID_FILE, ask, first_line, pid_of, read, run

INIT_SCRIPT = "/etc/init.d/docker"
CONTAINERD_PID_FILE = "/var/run/docker/containerd/containerd.pid"
LOG = "/var/log/myjupyter-dockerd.log"
LOG_LINES = 15
LOG_BYTES = 10_000_000
START_SECONDS = 60
STOP_SECONDS = 30
RELOAD_SECONDS = 5
RELOADS = "%7B%22type%22:%5B%22daemon%22%5D,%22event%22:%5B%22reload%22%5D%7D"  # {"type":["daemon"],"event":["reload"]}
OPEN_FILES = 1048576  # what the packages' own units and scripts ask for
PRIVATE = frozenset({_setup.ENV_FILE})  # a proxy's address may hold a password


def apply(plan: _setup.Plan, found: _setup.Found) -> list[str]:
    """Write the plan's files, make dockerd heed them, and return warnings. Raises EngineError."""
    judged = False
    if _daemon.DAEMON_JSON in plan.files and found.dockerd:
        judged = _validate(found.dockerd, plan.files[_daemon.DAEMON_JSON])
    warnings: list[str] = []
    with _taken_back_on_failure(plan, found):
        for path, text in plan.files.items():
            _write(path, text)
        if plan.then == "reload" and found.engine:
            _reload(found.engine.pid, found.services)
        elif plan.then == "restart" and found.engine:
            warnings = _restart(found.engine, found, judged)
        elif plan.then == "start":
            warnings = _start(found.services, found.dockerd)
    if plan.enable:
        _command(["systemctl", "enable", "--quiet", "docker.service"], "have systemd start the engine at boot")
    return warnings


@contextlib.contextmanager
def _taken_back_on_failure(plan: _setup.Plan, found: _setup.Found) -> Iterator[None]:
    """Put the files back that were there, and have the engine that ran run again, when dockerd refuses new ones."""
    try:
        yield
    except EngineError:
        for path in plan.files:
            before = found.files.get(path)
            if before is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            else:
                _write(path, before)
        if found.engine and not _answers():
            _start(found.services, found.dockerd)
        raise


def _validate(dockerd: str, text: str) -> bool:
    """Have dockerd itself judge its configuration, and return whether it can: from 23.0 on."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(text)
        file.flush()
        status, output = run([dockerd, "--validate", "--config-file", file.name])
    if "unknown flag" in output:
        return False
    if status:
        reason = output.replace(file.name, _daemon.DAEMON_JSON).splitlines()[-1]
        raise EngineError(f"daemon: dockerd refuses it: {reason}. Nothing was changed.")
    return True


def _write(path: str, text: str) -> None:
    """Replace a file in one step, keeping its mode, its owner, and a link to it."""
    path = os.path.realpath(path)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    mode, owner = 0o600 if path in PRIVATE else 0o644, (-1, -1)
    with contextlib.suppress(FileNotFoundError):
        about = os.stat(path)
        mode, owner = about.st_mode & 0o777, (about.st_uid, about.st_gid)
    handle, new = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".myjupyter-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chown(new, *owner)
        os.chmod(new, mode)
        os.replace(new, path)
    except OSError as error:
        os.unlink(new)
        raise EngineError(f"Could not write {path}: {error}") from error


def _reload(pid: int, services: str) -> None:
    """SIGHUP, and wait until dockerd says that it has taken the new configuration: a refusal is only in its log."""
    since, log = time.time(), _log_from_now(services)
    os.kill(pid, signal.SIGHUP)
    url = f"/events?since={since:.6f}&until={since + RELOAD_SECONDS:.6f}&filters={RELOADS}"
    if not first_line(DEFAULT_SOCKET, url):
        reason = _last_error(log()) or "its log says why"
        raise EngineError(f"daemon: dockerd refuses the new configuration: {reason}. The old one is back.")


def _restart(engine: _setup.Running, found: _setup.Found, judged: bool) -> list[str]:
    """Restart dockerd, with its containers kept alive: live-restore is loaded first, where it was off.

    By the same reload dockerd judges, while it runs, what nobody has ``judged``: refused by its start, an old file with
    a mistake that was never read would not bring the engine back.
    """
    if not judged or (engine.containers_running and not engine.live_restore):
        _reload(engine.pid, found.services)
    if engine.keeper == "service" and found.services == "systemd":
        _systemctl("restart")
        return []
    _stop(engine.pid)
    return _start(found.services, found.dockerd)


def _start(services: str, dockerd: str) -> list[str]:
    """Start dockerd by whatever runs services here, and return warnings."""
    if services == "systemd":
        _systemctl("start")
        return []
    if services == "sysv" and os.path.exists(INIT_SCRIPT):
        status, output = run([INIT_SCRIPT, "start"])
        if not status and _answers_within(START_SECONDS):
            return []
        _start_ourselves(dockerd)
        reason = (output.splitlines() or ["it said nothing"])[-1]
        return [f"{INIT_SCRIPT} could not start the engine ({reason}); it was started without the script."]
    _start_ourselves(dockerd)
    return []


def _systemctl(verb: str) -> None:
    run(["systemctl", "daemon-reload"])
    # After some failures in a row systemd refuses to try again.
    run(["systemctl", "reset-failed", "docker.service"])
    log = _log_from_now("systemd")
    status, output = run(["systemctl", verb, "docker.service"])
    if status or not _answers_within(START_SECONDS):
        lines = log()
        reason = output if "masked" in output else _last_error(lines) or output or "it does not answer"
        raise EngineError(f"systemd could not {verb} the engine: {reason.rstrip('.')}.", log=lines)


def _start_ourselves(dockerd: str) -> None:
    """Start dockerd in a session of its own: it outlives this module, and the login that Ansible came by."""
    for pid_file, command in ((PID_FILE, "dockerd"), (CONTAINERD_PID_FILE, "containerd")):
        # One that died left its pid file, and a new one takes whatever bears that number now for itself.
        if os.path.exists(pid_file) and not pid_of(pid_file, command):
            os.unlink(pid_file)
    if os.path.exists(LOG) and os.path.getsize(LOG) > LOG_BYTES:
        os.replace(LOG, f"{LOG}.1")
    said = _log_from_now("none")
    name, _equals, value = MARK.partition("=")
    with open(LOG, "ab") as log:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # no AnsibleModule comes down here
            [dockerd],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": PATH, "HOME": "/root", name: value, **_proxies()},
            start_new_session=True,
            preexec_fn=_like_a_service,
        )
    if not _answers_within(START_SECONDS, while_true=lambda: process.poll() is None):
        lines = said()
        raise EngineError(f"dockerd did not start: {_last_error(lines) or 'it said nothing'}. See {LOG}.", log=lines)


def _like_a_service() -> None:
    """Limits as the packages' units set them, as far as this machine lets us."""
    os.umask(0o022)
    for limit in (OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            break
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))


def _stop(pid: int) -> None:
    """SIGTERM, and wait for the process to end."""
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while os.path.exists(f"/proc/{pid}"):
        if time.monotonic() > end:
            raise EngineError(f"dockerd (process {pid}) did not end within {STOP_SECONDS} s of SIGTERM.")
        time.sleep(0.1)


def _proxies() -> dict[str, str]:
    pairs = (line.partition("=") for line in (read(_setup.ENV_FILE) or "").splitlines())
    return {name: value.strip('"') for name, _equals, value in pairs}


def _answers() -> bool:
    try:
        return bool(ask(DEFAULT_SOCKET, "/version", timeout=5))
    except (OSError, http.client.HTTPException):
        return False


def _answers_within(seconds: float, while_true: Callable[[], bool] = lambda: True) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and while_true():
        if _answers():
            return True
        time.sleep(0.1)
    return False


def _log_from_now(services: str) -> Callable[[], list[str]]:
    """What tells, later, the last lines that dockerd has logged since now: its own, and none of systemd's."""
    since, size = time.time(), len(read(LOG) or "")

    def lines() -> list[str]:
        if services != "systemd":
            return (read(LOG) or "")[size:].splitlines()[-LOG_LINES:]
        own = ["--identifier=dockerd", f"--since=@{since:.6f}", f"--lines={LOG_LINES}"]
        return run(["journalctl", *own, "--quiet", "--no-pager", "--output=cat"])[1].splitlines()

    return lines


def _last_error(lines: list[str]) -> str:
    """What a log says that tells most: the last line that speaks of failure."""
    telling = [line for line in lines if re.search("fail|unable|error", line, re.I)]
    line = (telling or lines or [""])[-1].strip().rstrip(".")
    message = re.search(r'msg="((?:[^"\\]|\\.)*)"', line)
    return message[1].replace('\\"', '"') if message else line


def _command(command: list[str], purpose: str) -> None:
    status, output = run(command)
    if status:
        raise EngineError(f"Could not {purpose}: {output}")
