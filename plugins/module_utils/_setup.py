# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a host has to the engine that is wanted: whose the engine is, what is missing, which steps bring it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import _daemon, _packages
from ._errors import EngineError, FleetError, InvalidInput

ENV_FILE = "/etc/docker/myjupyter.env"
DROP_IN = "/etc/systemd/system/docker.service.d/myjupyter.conf"
SYSV_DEFAULTS = "/etc/default/docker"
SYSV_LINE = f"set -a; . {ENV_FILE}; set +a"
PROXIES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "no": "NO_PROXY"}


@dataclass(frozen=True)
class Wanted:
    """What the user asks for, in the words of the module's options; ``free_space`` in bytes."""

    manage: str
    source: str
    version: str
    hold: bool
    sdk: str
    users: tuple[str, ...]
    daemon: Mapping[str, Any]
    proxies: Mapping[str, str]
    registry_certificates: Mapping[str, str]
    free_space: int
    state: str = "started"


@dataclass(frozen=True)
class Running:
    """An engine that answers.

    ``keeper``: service, us, hand (somebody started it), or elsewhere (it is not this host's own).
    ``outdated``: its program was replaced, by an upgrade, since it started.
    """

    address: str
    version: str = ""
    pid: int = 0
    keeper: str = "elsewhere"
    data_root: str = "/var/lib/docker"
    live_restore: bool = False
    swarm: bool = False
    containers: int = 0
    containers_running: int = 0
    outdated: bool = False


@dataclass(frozen=True)
class Found:
    """What a host has. ``files``: text by path, None where there is no file. ``users``: in the group docker or not,
    None where there is no such account."""

    release: _packages.Release
    root: bool
    services: str
    packages: Mapping[str, str]
    held: frozenset[str] = frozenset()
    dockerd: str = ""
    engine: Running | None = None
    enabled: bool = True
    sdk: bool = False
    files: Mapping[str, str | None] = field(default_factory=dict)
    users: Mapping[str, bool | None] = field(default_factory=dict)
    free_space: int = 0


@dataclass(frozen=True)
class Plan:
    """What to do. ``then`` is what dockerd needs: nothing, start, reload or restart. ``steps`` say it all in words."""

    managed: bool
    decision: str
    packages: tuple[str, ...] = ()
    repository: bool = False
    hold: tuple[str, ...] = ()
    sdk_venv: bool = False
    users: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    then: str = "nothing"
    enable: bool = False
    steps: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is anything in it that the module does itself."""
        return bool(self.files or self.enable or self.then != "nothing")


def parse(params: Mapping[str, Any]) -> Wanted:
    """The module's options, checked. Raises InvalidInput."""
    for registry, certificate in params["registry_certificates"].items():
        if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", registry):
            raise InvalidInput("registry_certificates", registry, "is no registry: write HOST or HOST:PORT.")
        if "BEGIN CERTIFICATE" not in str(certificate):
            raise InvalidInput(
                f"registry_certificates.{registry}", str(certificate)[:40], "is no PEM certificate: give its text."
            )
    for name, value in params["proxies"].items():
        if name not in PROXIES:
            raise InvalidInput("proxies", name, f"is not known: use {', '.join(PROXIES)}.")
        if re.search(r"[\s\"'$\\`]", str(value or "")):
            raise InvalidInput(f"proxies.{name}", value, "holds a blank or a quote: percent-encode it.")
    if not re.fullmatch(r"[\w.+~:-]*", params["version"]):
        raise InvalidInput("version", params["version"], "is no version: write one such as 27.3 or 20.10.24.")
    size = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMGT]?)B?", params["free_space"].strip().upper())
    if not size:
        raise InvalidInput("free_space", params["free_space"], "is no size: write one such as 2G.")
    chosen = {key: params[key] for key in ("manage", "source", "hold", "sdk", "daemon", "proxies", "state")}
    version = params["version"].split(":", 1)[-1]
    return Wanted(
        **chosen,
        version=version,
        users=tuple(params["users"]),
        registry_certificates=params["registry_certificates"],
        free_space=int(float(size[1]) * 1024 ** " KMGT".index(size[2] or " ")),
    )


def files_of_interest(wanted: Wanted) -> list[str]:
    """The files whose text ``Found.files`` must hold."""
    return [_daemon.DAEMON_JSON, ENV_FILE, DROP_IN, SYSV_DEFAULTS, *map(_certificate, wanted.registry_certificates)]


def plan(wanted: Wanted, found: Found) -> Plan:
    """What brings the host from ``found`` to ``wanted``. Raises FleetError for what cannot or must not be done."""
    managed, decision = _whose(wanted, found)
    way = (_ours if managed else _left_alone)(wanted, found, decision)
    if way.steps and not found.root:
        raise FleetError(
            f"Root is needed to {way.steps[0]}: set become: true for the role docker_engine, "
            "or use an engine of the remote user's own (docker_host)."
        )
    return way


def result(plan: Plan, found: Found) -> dict[str, Any]:
    """The module's result."""
    return {
        "changed": plan.changes,
        "managed": plan.managed,
        "decision": plan.decision,
        "steps": list(plan.steps),
        "missing": {
            "packages": list(plan.packages),
            "repository": plan.repository,
            "hold": list(plan.hold),
            "sdk_venv": plan.sdk_venv,
            "users": list(plan.users),
        },
        "host": {
            "family": found.release.family,
            "upstream": found.release.upstream,
            "codename": found.release.codename,
            "services": found.services,
        },
        "diff": [_file_diff(path, found.files.get(path), text) for path, text in plan.files.items()]
        + [{"prepared": "".join(f"{step}\n" for step in plan.steps)}],
    }


def _file_diff(path: str, before: str | None, after: str) -> dict[str, str]:
    if path == ENV_FILE:  # a proxy's address may hold a password
        before, after = before and "(as it was)\n", "(other proxies)\n"
    return {"before_header": path, "after_header": path, "before": before or "", "after": after}


def _whose(wanted: Wanted, found: Found) -> tuple[bool, str]:
    """Whether the engine is this role's to install and configure, and the sentence that says why."""
    running, packaged = found.engine, next((name for name in _packages.ENGINES if name in found.packages), "")
    about = f"Engine {running.version} at {running.address}" if running else "No engine answers"
    if wanted.manage == "never":
        if not running:
            raise EngineError("manage: 'never', but no engine answers on this host: start one, or let manage be auto.")
        return False, f"{about} is left alone: manage is never."
    if wanted.manage == "auto" and running and running.keeper == "elsewhere":
        return False, f"{about} is used and left alone: it is not this host's system-wide engine."
    if wanted.manage == "auto" and running and not packaged:
        return False, f"{about} is used and left alone: it comes from no package that is known here."
    if wanted.manage == "auto" and running and running.keeper == "hand":
        return False, f"{about} is used and left alone: somebody started it by hand (manage: always takes it over)."
    if found.dockerd and not packaged and not running:
        raise EngineError(
            f"{found.dockerd} was installed by hand and does not run: start it, and it will be used, "
            "or remove it, and a packaged engine will be installed."
        )
    return True, f"{about} ({packaged or 'to be installed'}) on {found.release.name}, kept by {_keeper(found)}."


def _keeper(found: Found) -> str:
    return {"systemd": "systemd", "sysv": "its init script"}.get(
        found.services, "this role, as no service manager runs"
    )


def _left_alone(wanted: Wanted, found: Found, decision: str) -> Plan:
    packages, venv = _sdk(wanted, found)
    steps = _say_packages(packages, venv)
    return Plan(False, decision, packages=tuple(packages), sdk_venv=venv, steps=tuple(steps))


def _ours(wanted: Wanted, found: Found, decision: str) -> Plan:
    packages, repository, hold = _software(wanted, found)
    extra, venv = _sdk(wanted, found)
    packages += extra
    files, keys = _files(wanted, found)
    then = _then(wanted, found, keys)
    enable = found.services == "systemd" and not found.enabled and not packages
    users = [name for name, member in found.users.items() if not member]
    _refuse(wanted, found, packages, keys, then)
    steps = _say_packages(packages, venv)
    steps += [f"hold {', '.join(hold)}"] if hold else []
    steps += [f"write {path}" for path in files]
    steps += [f"{then} the engine{_why(keys, then)}"] if then != "nothing" else []
    steps += ["have the engine started at boot"] if enable else []
    steps += [f"add {', '.join(users)} to the group docker"] if users else []
    return Plan(
        True,
        decision,
        packages=tuple(packages),
        repository=repository,
        hold=tuple(hold),
        sdk_venv=venv,
        users=tuple(users),
        files=files,
        then=then,
        enable=enable,
        steps=tuple(steps),
        warnings=tuple(_warnings(wanted, found)),
    )


def _software(wanted: Wanted, found: Found) -> tuple[list[str], bool, list[str]]:
    """The packages to install, whether Docker's repository is needed for them, and those to hold."""
    if not found.release.family and found.dockerd:
        return [], False, []
    origin = _packages.source(found.release, wanted.source, found.packages)
    names = _packages.engine(found.release, origin)
    missing = _packages.missing(names, wanted.version, found.packages, found.release.family)
    hold = [name for name in names if wanted.hold and name in _packages.VERSIONED and name not in found.held]
    repository = origin == "docker" and any(name.split("=")[0] in names for name in missing)
    return missing, repository, hold


def _sdk(wanted: Wanted, found: Found) -> tuple[list[str], bool]:
    """The packages that bring the SDK, and whether a virtual environment of our own does."""
    if found.sdk or wanted.sdk == "none":
        return [], False
    packaged = _packages.has_sdk(found.release)
    if wanted.sdk == "distribution" and not packaged:
        raise InvalidInput("sdk", wanted.sdk, f"cannot be had: {found.release.name} has no such package; use venv.")
    # A packaged SDK that is there and yet unfit is no reason to touch the distribution's Python.
    if packaged and wanted.sdk != "venv" and not found.packages.get(_packages.SDK):
        return [_packages.SDK], False
    needs_venv = found.release.family == "debian" and not found.packages.get("python3-venv")
    return (["python3-venv"] if needs_venv else []), True


def _files(wanted: Wanted, found: Found) -> tuple[dict[str, str], list[str]]:
    """The files to write, and the names of what changes in how dockerd runs."""
    swarm = bool(found.engine and found.engine.swarm)
    before = _daemon.parse(found.files.get(_daemon.DAEMON_JSON))
    after = _daemon.merge(before, wanted.daemon, swarm)
    keys = _daemon.changed_keys(before, after)
    texts = {_daemon.DAEMON_JSON: _daemon.as_text(after)} if keys else {}
    proxies = _proxy_files(wanted, found)
    for path, text in {**proxies, **_certificates(wanted)}.items():
        if found.files.get(path) != text:
            texts[path] = text
    if proxies.keys() & texts.keys():
        keys.append("proxies")
    if found.engine and found.engine.outdated:
        keys.append("the new version")
    # The file may say live-restore already, and dockerd not have read it yet.
    if found.engine and after.get("live-restore") and not found.engine.live_restore and "live-restore" not in keys:
        keys.append("live-restore")
    return texts, keys


def _proxy_files(wanted: Wanted, found: Found) -> dict[str, str]:
    """Engines before 23 refuse proxies in daemon.json: the environment serves all of them."""
    if not wanted.proxies:
        return {}
    given = {PROXIES[name]: value for name, value in sorted(wanted.proxies.items()) if value}
    lines = [f'{name}="{value}"\n{name.lower()}="{value}"\n' for name, value in given.items()]
    texts = {ENV_FILE: "".join(lines)}
    if found.services == "systemd":
        texts[DROP_IN] = f"[Service]\nEnvironmentFile=-{ENV_FILE}\n"
    if found.services == "sysv":
        defaults = found.files.get(SYSV_DEFAULTS) or ""
        texts[SYSV_DEFAULTS] = defaults if SYSV_LINE in defaults else f"{defaults}{SYSV_LINE}\n"
    return texts


def _certificates(wanted: Wanted) -> dict[str, str]:
    return {_certificate(name): text.strip() + "\n" for name, text in wanted.registry_certificates.items()}


def _certificate(registry: str) -> str:
    return f"/etc/docker/certs.d/{registry}/ca.crt"


def _then(wanted: Wanted, found: Found, keys: list[str]) -> str:
    if not found.engine:
        return "start" if wanted.state == "started" else "nothing"
    if _daemon.needs_restart(keys):
        return "restart"
    return "reload" if keys else "nothing"


def _refuse(wanted: Wanted, found: Found, packages: list[str], keys: list[str], then: str) -> None:
    """Raise FleetError for a plan that would lose something, or cannot end well."""
    strangers = [name for name, member in found.users.items() if member is None]
    if strangers:
        raise InvalidInput("users", strangers[0], "has no account on this host: create the account first.")
    if (packages or then == "start") and found.free_space < wanted.free_space:
        raise FleetError(
            f"No space for an engine: {found.free_space / 1e9:.1f} GB are free where it keeps its data, and "
            f"free_space asks for {wanted.free_space / 1e9:.1f}: free some, or name a roomier data-root in daemon."
        )
    engine = found.engine
    if not engine:
        return
    if "data-root" in keys and engine.containers:
        raise InvalidInput(
            "daemon.data-root",
            wanted.daemon.get("data-root"),
            f"would hide the {engine.containers} containers in {engine.data_root}: remove or move them first.",
        )
    stays = _stays_alive(wanted, found)
    if then == "restart" and engine.containers_running and not stays:
        raise FleetError(
            f"daemon: {', '.join(_daemon.needs_restart(keys))} needs a restart of the engine, which would end "
            f"{engine.containers_running} running containers, as live-restore is off: switch it on, or stop them first."
        )
    there = next((name for name in _packages.ENGINES if name in found.packages), "")
    other = [name for name in map(_bare, packages) if name in _packages.ENGINES and name != there]
    if there and other and engine.containers_running:
        raise InvalidInput(
            "source", wanted.source, f"would replace {there} by {other[0]} under {engine.containers_running} running "
            "containers: stop them first."
        )  # fmt: skip


def _stays_alive(wanted: Wanted, found: Found) -> bool:
    before = _daemon.parse(found.files.get(_daemon.DAEMON_JSON))
    return bool(_daemon.merge(before, wanted.daemon, bool(found.engine and found.engine.swarm)).get("live-restore"))


def _warnings(wanted: Wanted, found: Found) -> list[str]:
    if found.engine and not _stays_alive(wanted, found):
        return ["live-restore is off on this host's engine: labs end when it restarts or dies."]
    return []


def _bare(package: str) -> str:
    return next((name for name in _packages.KNOWN if re.split(r"=|-\d", package)[0] == name), package)


def _say_packages(packages: list[str], venv: bool) -> list[str]:
    steps = [f"install {', '.join(packages)}"] if packages else []
    return steps + (["install the Docker SDK for Python in /opt/myjupyter/venv"] if venv else [])


def _why(keys: list[str], then: str) -> str:
    return "" if then == "start" else f", for {', '.join(keys)}"
