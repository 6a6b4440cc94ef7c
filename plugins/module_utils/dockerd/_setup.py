# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a host's engine: what is wanted, what was found, and the plan between the two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._errors import InvalidInput
from .._gpu import Hardware
from . import _daemon, _packages

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
    gpus: str = "auto"


@dataclass(frozen=True)
class Running:
    """An engine that answers.

    ``keeper``: service, us, hand (somebody started it), or elsewhere (it is not this host's own).
    ``outdated``: its program was replaced, by an upgrade, since it started. ``runtimes``: those that it knows.
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
    runtimes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Found:
    """What a host has. ``files``: text by path, None where there is no file. ``users``: in the group docker or not,
    None where there is no such account. ``flags``: keys of daemon.json that dockerd is given as flags. ``beside``: the
    address of an engine of the user's who became root for this."""

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
    flags: frozenset[str] = frozenset()
    beside: str = ""
    hardware: Hardware = Hardware()


@dataclass(frozen=True)
class Plan:
    """What to do. ``then`` is what dockerd needs: nothing, start, reload or restart. ``steps`` say it all in words."""

    managed: bool
    decision: str
    packages: tuple[str, ...] = ()
    repository: bool = False
    toolkit_repository: bool = False
    hold: tuple[str, ...] = ()
    unlock: tuple[str, ...] = ()
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
    proxies = {_proxy_name(name): _proxy(name, value) for name, value in params["proxies"].items()}
    _check_daemon(params["daemon"])
    if not re.fullmatch(r"[\w.+~:-]*", params["version"]):
        raise InvalidInput("version", params["version"], "is no version: write one such as 27.3 or 20.10.24.")
    size = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMGT]?)B?", params["free_space"].strip().upper())
    if not size:
        raise InvalidInput("free_space", params["free_space"], "is no size: write one such as 2G.")
    chosen = {key: params[key] for key in ("manage", "source", "hold", "sdk", "daemon", "state", "gpus")}
    version = params["version"].split(":", 1)[-1]
    return Wanted(
        **chosen,
        version=version,
        users=tuple(params["users"]),
        proxies=proxies,
        registry_certificates=params["registry_certificates"],
        free_space=int(float(size[1]) * 1024 ** " KMGT".index(size[2] or " ")),
    )


def _proxy_name(name: Any) -> str:
    """YAML reads the plain word ``no`` as false."""
    text = "no" if str(name).lower() == "false" else str(name)
    if text not in PROXIES:
        raise InvalidInput("proxies", name, f"is not known: use {', '.join(PROXIES)}.")
    return text


def _proxy(name: Any, value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value or "")
    if re.search(r"[\s\"'$\\`]", text):
        raise InvalidInput(f"proxies.{_proxy_name(name)}", value, "holds a blank or a quote: percent-encode it.")
    return text


def _check_daemon(daemon: Mapping[str, Any]) -> None:
    """What of daemon.json this role itself reads and adds to."""
    root = daemon.get("data-root")
    if root is not None and not str(root).startswith("/"):
        raise InvalidInput("daemon.data-root", root, "should be an absolute path on the host.")
    for key in _daemon.OBJECTS:
        if not isinstance(daemon.get(key) or {}, Mapping):
            raise InvalidInput(
                f"daemon.{key}", daemon[key], "should be a mapping, such as {max-size: 10m} for log-opts."
            )


def files_of_interest(wanted: Wanted) -> list[str]:
    """The files whose text ``Found.files`` must hold."""
    return [_daemon.DAEMON_JSON, ENV_FILE, DROP_IN, SYSV_DEFAULTS, *map(certificate_file, wanted.registry_certificates)]


def certificate_file(registry: str) -> str:
    """Where the engine looks for the CA certificate of a registry."""
    return f"/etc/docker/certs.d/{registry}/ca.crt"


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
            "toolkit_repository": plan.toolkit_repository,
            "hold": list(plan.hold),
            "unlock": list(plan.unlock),
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
