# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's registry: what is wanted, what was found, and the plan between the two."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._errors import FleetError, InvalidInput

FOLDER = "/etc/myjupyter/registry"
CA, CA_KEY = f"{FOLDER}/ca.crt", f"{FOLDER}/ca.key"
CERTIFICATE, KEY = f"{FOLDER}/tls.crt", f"{FOLDER}/tls.key"
PASSWORD, HTPASSWD = f"{FOLDER}/password", f"{FOLDER}/htpasswd"
CONFIG, ACCESS = f"{FOLDER}/config.yml", f"{FOLDER}/access.json"
DROP_IN = "/etc/systemd/system/docker-registry.service.d/myjupyter.conf"
PACKAGES = ("docker-registry", "openssl")
SERVICE, USER = "docker-registry", "docker-registry"
# Directories that belong to the system or to everybody.
SYSTEM = frozenset(
    ("/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin")
    + ("/srv", "/sys", "/tmp", "/usr", "/var", "/var/lib")
)
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Wanted:
    """What is asked for. ``names`` are what hosts call this one, the first of them in the names of images."""

    names: tuple[str, ...]
    address: str
    port: int
    data: str
    username: str
    password: str
    certificate: str
    key: str
    ca: str
    renew_days: int

    @property
    def own(self) -> bool:
        """Whether the certificate is the user's."""
        return bool(self.certificate)


@dataclass(frozen=True)
class Found:
    """What a host has. ``texts`` of files by path, those that are there. ``given``: the user's certificate, key and CA.

    ``names`` and ``days_left`` are those of the certificate; ``signed``: by the CA that is there. ``login``: whether
    the password that is wanted, or kept, is the one in htpasswd. ``theirs``: somebody's registry, in a few words.
    """

    root: bool
    debian: bool
    systemd: bool
    packages: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    days_left: float = 0
    ca_days_left: float = 0
    signed: bool = False
    login: bool = False
    runs: bool = False
    stale: bool = False
    enabled: bool = False
    theirs: str = ""


@dataclass(frozen=True)
class Plan:
    """``files``: texts to write. ``make``: what is to be made: ca, certificate, password, login. ``start``: anew."""

    packages: tuple[str, ...] = ()
    make: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    start: bool = False
    enable: bool = False

    @property
    def steps(self) -> list[str]:
        said = [f"install {', '.join(self.packages)}"] if self.packages else []
        words = {"password": "make a password", "login": f"write {HTPASSWD}", "ca": "make a CA"}
        said += [words.get(what, "make a certificate") for what in self.make]
        said += [f"write {path}" for path in self.files]
        said += ["start the registry"] if self.start else []
        return [*said, *(["have the registry started at boot"] if self.enable else [])]

    @property
    def changes(self) -> bool:
        """Whether there is anything that the module does itself."""
        return bool(self.make or self.files or self.start or self.enable)


def parse(params: Mapping[str, Any]) -> Wanted:
    """The module's options, checked. Raises InvalidInput."""
    for name in params["names"]:
        if not (NAME.fullmatch(name) or is_address(name)):
            raise InvalidInput("names", name, "is no name or address of a host.")
    if not params["names"]:
        raise InvalidInput("names", [], "must hold what the other hosts call this one.")
    if "_" in params["names"][0]:
        first = "cannot be in the name of an image, for its underscore: put another name or an address first."
        raise InvalidInput("names", params["names"][0], first)
    if not is_address(params["address"]):
        raise InvalidInput("address", params["address"], "is no address to listen at, such as 0.0.0.0.")
    if not 0 < params["port"] < 65536:
        raise InvalidInput("port", params["port"], "is no port: 1 to 65535.")
    if not re.fullmatch(r"/[\w./-]*\w", params["data"]):
        raise InvalidInput("data", params["data"], "is no absolute path of a directory.")
    if posixpath.normpath(params["data"]) in SYSTEM:
        raise InvalidInput(
            "data", params["data"], "should be a directory of the registry's own, such as /srv/registry."
        )
    if not re.fullmatch(r"[\w.-]+", params["username"]):
        raise InvalidInput("username", params["username"], "is no name of a user: letters, digits, dots and dashes.")
    # bcrypt knows only so many bytes of a password.
    if len((params["password"] or "").encode()) > 72 or "\n" in (params["password"] or ""):
        raise InvalidInput("password", "(not shown)", "has more than 72 bytes or a line break.")
    if bool(params["certificate"]) != bool(params["key"]):
        raise InvalidInput("certificate", params["certificate"], "and key belong together: give both or none.")
    return Wanted(
        names=tuple(dict.fromkeys(map(plain, params["names"]))),
        port=params["port"],
        renew_days=params["renew_days"],
        **{key: params[key] or "" for key in ("address", "data", "username", "password", "certificate", "key", "ca")},
    )


def plan(wanted: Wanted, found: Found) -> Plan:
    """What brings the host to what is wanted. Raises FleetError for what cannot, or must not, be done."""
    _refuse(wanted, found)
    make = [] if wanted.password or PASSWORD in found.texts else ["password"]
    make += [] if found.login and not make else ["login"]
    files = {CONFIG: config(wanted), DROP_IN: drop_in(wanted), ACCESS: access(wanted)}
    if wanted.password:
        files[PASSWORD] = wanted.password
    if wanted.own:
        files.update({CERTIFICATE: found.given["certificate"], KEY: found.given["key"], CA: found.given.get("ca", "")})
    else:
        fresh = found.ca_days_left > wanted.renew_days
        make += [] if fresh else ["ca"]
        good = fresh and found.signed and set(wanted.names) <= found.names and found.days_left > wanted.renew_days
        make += [] if good else ["certificate"]
    changed = {path: text for path, text in files.items() if found.texts.get(path, "") != text}
    packages = tuple(name for name in PACKAGES if name not in found.packages)
    start = bool(make or changed.keys() - {PASSWORD} or found.stale or not found.runs)
    # The package has it started at boot.
    enable = not found.enabled and SERVICE in found.packages
    return Plan(packages, tuple(make), changed, start, enable)


def _refuse(wanted: Wanted, found: Found) -> None:
    if not found.root:
        raise FleetError("Root is needed to set up a registry: set become: true for the role jupyter_registry.")
    if not found.debian or not found.systemd:
        raise FleetError(
            "A registry is set up on Debian and Ubuntu with systemd only: choose such a host, name a registry that "
            "you have (jupyter_image_registry), or deliver without one (jupyter_image_delivery: stream)."
        )
    if found.theirs:
        raise FleetError(
            f"This host has a docker-registry of somebody's ({found.theirs}), which is left alone: use it by "
            "jupyter_image_registry, or choose another host."
        )
    for option in ("certificate", "key", "ca"):
        path = getattr(wanted, option)
        if path and option not in found.given:
            raise InvalidInput(option, path, "is no file on the host that holds a certificate or key in PEM.")


def config(wanted: Wanted) -> str:
    """The configuration of the registry."""
    address = f"[{wanted.address}]" if ":" in wanted.address else wanted.address
    return (
        "# Written by the role jupyter_registry of myjupyter.fleet.\n"
        "version: 0.1\n"
        "log: {level: warn, accesslog: {disabled: true}}\n"
        f'storage: {{filesystem: {{rootdirectory: "{wanted.data}"}}, delete: {{enabled: true}}}}\n'
        f'auth: {{htpasswd: {{realm: registry, path: "{HTPASSWD}"}}}}\n'
        f'http: {{addr: "{address}:{wanted.port}", tls: {{certificate: "{CERTIFICATE}", key: "{KEY}"}}}}\n'
    )


def drop_in(wanted: Wanted) -> str:
    """What differs from the package's own service."""
    low = "AmbientCapabilities=CAP_NET_BIND_SERVICE\n" if wanted.port < 1024 else ""
    return f"[Service]\nExecStart=\nExecStart=/usr/bin/docker-registry serve {CONFIG}\nRestart=on-failure\n{low}"


def access(wanted: Wanted) -> str:
    """Where and as whom it is reached, for who uses it; the password is beside it."""
    name = f"[{wanted.names[0]}]" if ":" in wanted.names[0] else wanted.names[0]
    return f'{{"registry": "{name}:{wanted.port}", "username": "{wanted.username}"}}\n'


def result(wanted: Wanted, plan: Plan) -> dict[str, Any]:
    steps = "".join(f"{step}\n" for step in plan.steps)
    name = f"[{wanted.names[0]}]" if ":" in wanted.names[0] else wanted.names[0]
    return {
        "changed": plan.changes,
        "steps": plan.steps,
        "missing": list(plan.packages),
        "registry": f"{name}:{wanted.port}",
        "username": wanted.username,
        "diff": {"prepared": steps},
    }


def plain(name: str) -> str:
    """An address as it is usually written; openssl writes those of IPv6 otherwise."""
    return str(ipaddress.ip_address(name)) if is_address(name) else name


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
