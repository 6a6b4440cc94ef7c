# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a host has to the engine that is wanted: whose the engine is, what is missing, which steps bring it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import Any

from .._errors import EngineError, FleetError, InvalidInput
from . import _daemon, _packages
from ._setup import DROP_IN, ENV_FILE, PROXIES, SYSV_DEFAULTS, SYSV_LINE, Found, Plan, Wanted, certificate_file

TOOLKIT = "NVIDIA's container toolkit"


def plan(wanted: Wanted, found: Found, foretold: bool = False) -> Plan:
    """What brings the host from ``found`` to ``wanted``. Raises FleetError for what cannot or must not be done.

    ``foretold``: as if the missing packages were there already, which is how it is going to be.
    """
    managed, decision = _whose(wanted, found)
    if managed and found.engine and found.engine.keeper == "elsewhere":
        found = replace(found, engine=None)  # one of our own beside it
    way = _ours(wanted, found, decision, foretold) if managed else _left_alone(wanted, found, decision)
    if way.steps and not found.root:
        raise FleetError(
            f"Root is needed to {way.steps[0]}: set become: true for the role docker_engine, "
            "or use an engine of the remote user's own (docker_host)."
        )
    return way


def _whose(wanted: Wanted, found: Found) -> tuple[bool, str]:
    """Whether the engine is this role's to install and configure, and the sentence that says why."""
    running, packaged = found.engine, _package(found)
    about = f"Engine {running.version} at {running.address}" if running else "No engine answers"
    if wanted.manage == "never":
        if not running:
            raise EngineError("manage: 'never', but no engine answers on this host: start one, or let manage be auto.")
        return False, f"{about} is left alone: manage is never."
    if wanted.manage == "auto" and running and running.keeper == "elsewhere":
        return False, f"{about} is used and left alone: it is rootless, Docker Desktop's, or elsewhere."
    if wanted.manage == "auto" and running and not packaged:
        return False, f"{about} is used and left alone: it comes from no package that is known here."
    if wanted.manage == "auto" and running and running.keeper == "hand":
        return False, f"{about} is used and left alone: somebody started it by hand (manage: always takes it over)."
    if wanted.manage == "auto" and found.beside and not running and not packaged:
        raise EngineError(
            f"The engine of the user who became root answers at {found.beside}: use it without become (fleet_become: "
            "false in the playbooks), or say manage: always for another one, of root's."
        )
    if found.dockerd and not packaged and not running:
        raise EngineError(
            f"{found.dockerd} was installed by hand and does not run: start it, and it will be used, "
            "or remove it, and a packaged engine will be installed."
        )
    if running and running.keeper != "elsewhere":
        return True, f"{about}, {packaged or found.dockerd}, is kept by {_keeper(found)}."
    if packaged:
        return True, f"The engine of {packaged} does not run; it is to be kept by {_keeper(found)}."
    return True, f"{found.release.name} has no engine; it gets one, kept by {_keeper(found)}."


def _package(found: Found) -> str:
    """The package that this host's dockerd is from; empty for none that is known."""
    return _packages.of_engine(found.release, found.packages)


def _keeper(found: Found) -> str:
    return {"systemd": "systemd", "sysv": "its init script"}.get(
        found.services, "this role, as no service manager runs"
    )


def _left_alone(wanted: Wanted, found: Found, decision: str) -> Plan:
    packages, venv = _sdk(wanted, found)
    steps = _say_packages(packages, venv)
    warnings = []
    if _needs_toolkit(wanted, found) and not found.hardware.hook:
        warnings.append(
            f"This host has GPUs, and its engine, which is left alone, cannot give them to labs: install {TOOLKIT}."
        )
    return Plan(False, decision, packages=tuple(packages), sdk_venv=venv, steps=tuple(steps), warnings=tuple(warnings))


def _ours(wanted: Wanted, found: Found, decision: str, foretold: bool) -> Plan:
    packages, repository, hold = _software(wanted, found)
    # dnf installs no other version of what is locked; apt is told to.
    changing = {_bare(package) for package in packages} & found.held
    unlock = sorted(changing) if found.release.family == "redhat" else []
    hold += [name for name in unlock if wanted.hold]
    extra, venv = _sdk(wanted, found)
    toolkit = [_packages.TOOLKIT] if _needs_toolkit(wanted, found) and not found.hardware.hook else []
    packages += extra + toolkit
    files, keys = _files(wanted, found, foretold)
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
        toolkit_repository=bool(toolkit),
        hold=tuple(hold),
        unlock=tuple(unlock),
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
    if found.dockerd and not _package(found):
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


def _needs_toolkit(wanted: Wanted, found: Found) -> bool:
    return wanted.gpus == "always" or (wanted.gpus == "auto" and bool(found.hardware.devices))


def _files(wanted: Wanted, found: Found, foretold: bool) -> tuple[dict[str, str], list[str]]:
    """The files to write, and the names of what changes in how dockerd runs."""
    before = _daemon.parse(found.files.get(_daemon.DAEMON_JSON))
    toolkit = _needs_toolkit(wanted, found) and (foretold or bool(found.hardware.hook))
    after = _merged(wanted, found, toolkit)
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
    # dockerd looks for the toolkit when it starts, and never again: a reload would know the runtime alone.
    if found.engine and "nvidia" in (after.get("runtimes") or {}) and "nvidia" not in found.engine.runtimes and toolkit:
        keys.append(TOOLKIT)
    return texts, keys


def _merged(wanted: Wanted, found: Found, toolkit: bool = False) -> dict[str, Any]:
    """daemon.json as it shall be. Where no engine can judge it, only what is known to be right is written before one is
    started: what is refused then is taken back, else it would stay."""
    declared = wanted.daemon
    if not found.engine and wanted.state != "started":
        declared = {key: value for key, value in declared.items() if key in _daemon.OURS}
    swarm = bool(found.engine and found.engine.swarm)
    before = _daemon.parse(found.files.get(_daemon.DAEMON_JSON))
    return _daemon.merge(before, declared, swarm, toolkit, _flags(wanted, found), runs=bool(found.engine))


def _flags(wanted: Wanted, found: Found) -> frozenset[str]:
    """What dockerd is given as flags; of a package that is yet to come, what it is known to give."""
    if found.dockerd or found.release.upstream != "fedora" or wanted.source == "docker":
        return found.flags
    return _packages.FLAGS_OF_FEDORA


def _proxy_files(wanted: Wanted, found: Found) -> dict[str, str]:
    """Engines before 23 refuse proxies in daemon.json: the environment serves all of them."""
    if not wanted.proxies:
        # Those of an earlier run, which nobody declares any more.
        return {ENV_FILE: ""} if found.files.get(ENV_FILE) else {}
    given = {PROXIES[name]: value for name, value in sorted(wanted.proxies.items()) if value}
    lines = [f'{name}="{value}"\n{name.lower()}="{value}"\n' for name, value in given.items()]
    texts = {ENV_FILE: "".join(lines)}
    if found.services == "systemd":
        texts[DROP_IN] = f"[Service]\nEnvironmentFile=-{ENV_FILE}\n"
    if found.services == "sysv":
        defaults = found.files.get(SYSV_DEFAULTS) or ""
        whole = defaults if not defaults or defaults.endswith("\n") else f"{defaults}\n"
        texts[SYSV_DEFAULTS] = defaults if SYSV_LINE in defaults else f"{whole}{SYSV_LINE}\n"
    return texts


def _certificates(wanted: Wanted) -> dict[str, str]:
    given = wanted.registry_certificates.items()
    return {certificate_file(name): text.replace("\r\n", "\n").strip() + "\n" for name, text in given}


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
    twice = sorted(_flags(wanted, found) & wanted.daemon.keys())
    if twice:
        raise InvalidInput(
            f"daemon.{twice[0]}", wanted.daemon[twice[0]], "is given to dockerd as a flag already, and dockerd refuses "
            "what it is told twice: take the flag out of its service's options, or leave this out."
        )  # fmt: skip
    engine = found.engine
    if not engine:
        return
    hiding = [key for key in keys if key in _daemon.HIDING and not _same_root(key, wanted, engine.data_root)]
    if hiding and engine.containers:
        raise InvalidInput(
            f"daemon.{hiding[0]}", wanted.daemon.get(hiding[0]), f"would hide the {engine.containers} containers in "
            f"{engine.data_root}: remove or move them first."
        )  # fmt: skip
    stays = _stays_alive(wanted, found)
    if then == "restart" and engine.containers_running and not stays:
        raise FleetError(
            f"daemon: {', '.join(_daemon.needs_restart(keys))} needs a restart of the engine, which would end "
            f"{engine.containers_running} running containers, as live-restore is off: switch it on, or stop them first."
        )
    there = _package(found)
    upgraded = [package for package in packages if _bare(package) in (there, "containerd.io")]
    if there and upgraded and engine.containers_running and not stays:
        raise FleetError(
            f"version: {', '.join(upgraded)} would end {engine.containers_running} running containers, as live-restore "
            "is off: switch it on, or stop them first."
        )
    other = [name for name in map(_bare, packages) if name in _packages.ENGINES and name != there]
    if there and other and engine.containers_running:
        raise InvalidInput(
            "source", wanted.source, f"would replace {there} by {other[0]} under {engine.containers_running} running "
            "containers: stop them first."
        )  # fmt: skip


def _stays_alive(wanted: Wanted, found: Found) -> bool:
    return bool(_merged(wanted, found).get("live-restore")) or _alive_by_flag(found)


def _alive_by_flag(found: Found) -> bool:
    return "live-restore" in found.flags and bool(found.engine and found.engine.live_restore)


def _same_root(key: str, wanted: Wanted, there: str) -> bool:
    """Whether a data-root is written otherwise but is the one that the engine has."""
    root = str(wanted.daemon.get("data-root") or "/var/lib/docker")
    return key == "data-root" and posixpath.normpath(root) == posixpath.normpath(there)


def _warnings(wanted: Wanted, found: Found) -> list[str]:
    warnings = []
    if found.engine and not _stays_alive(wanted, found):
        warnings.append("live-restore is off on this host's engine: labs end when it restarts or dies.")
    if found.hardware.cards and not found.hardware.devices:
        warnings.append(
            f"This host has an NVIDIA GPU ({', '.join(found.hardware.cards)}), and no driver of NVIDIA's shows it: "
            "install the driver, so that `nvidia-smi -L` lists the GPU, or say gpus: none."
        )
    return warnings


def _bare(package: str) -> str:
    return next((name for name in _packages.KNOWN if re.split(r"=|-\d", package)[0] == name), package)


def _say_packages(packages: list[str], venv: bool) -> list[str]:
    steps = [f"install {', '.join(packages)}"] if packages else []
    return steps + (["install the Docker SDK for Python in /opt/myjupyter/venv"] if venv else [])


def _why(keys: list[str], then: str) -> str:
    return "" if then == "start" else f", for {', '.join(keys)}"
