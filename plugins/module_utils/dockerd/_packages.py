# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages make an engine on which distribution."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from .._errors import FleetError

REDHAT = frozenset({"rhel", "centos", "rocky", "almalinux", "ol"})
# The package that holds dockerd, by where it comes from.
ENGINES = {"docker.io": "distribution", "moby-engine": "distribution", "docker-ce": "docker"}
# Debian releases whose docker.io has the CLI within it, with BuildKit built in and no plugin to install.
ALL_IN_ONE = frozenset({"bullseye", "bookworm"})
FROM_DOCKER = ("docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin")
VERSIONED = frozenset({"docker.io", "docker-cli", "moby-engine", "docker-ce", "docker-ce-cli"})
# Fedora's package starts dockerd with --live-restore and --log-driver=journald, from /etc/sysconfig/docker:
# https://github.com/coreos/fedora-coreos-tracker/issues/573
FLAGS_OF_FEDORA = frozenset({"live-restore", "log-driver"})
SDK = "python3-docker"
TOOLKIT = "nvidia-container-toolkit"
# Every package that is worth asking a host about.
KNOWN = (*ENGINES, *FROM_DOCKER[1:], "docker-cli", "docker-buildx", "iptables", "ca-certificates")
KNOWN += ("python3-venv", SDK, TOOLKIT)


@dataclass(frozen=True)
class Release:
    """What a host runs: ``family`` is debian, redhat or empty; ``upstream`` names Docker's repository for it."""

    name: str
    family: str
    upstream: str
    codename: str = ""


def release(os_release: str) -> Release:
    """The release that the text of /etc/os-release describes."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line and line[0] != "#")
    about = {key: " ".join(shlex.split(value)) for key, value in fields.items()}
    identity, like = about.get("ID", ""), about.get("ID_LIKE", "").split()
    name = about.get("PRETTY_NAME") or identity or "this system"
    codename = about.get("UBUNTU_CODENAME") or about.get("DEBIAN_CODENAME") or about.get("VERSION_CODENAME", "")
    if identity == "ubuntu" or "ubuntu" in like:
        return Release(name, "debian", "ubuntu", codename)
    if identity == "debian" or "debian" in like:
        return Release(name, "debian", "debian", codename)
    if identity == "fedora":
        return Release(name, "redhat", "fedora")
    if identity in REDHAT or REDHAT & set(like):
        return Release(name, "redhat", "rhel" if identity == "rhel" else "centos")
    return Release(name, "", "")


def source(on: Release, wanted: str, installed: Mapping[str, str]) -> str:
    """Where the engine comes from: ``distribution`` or ``docker``. ``auto`` keeps what is installed.

    Raises FleetError for a system that this collection knows no packages for, or has none.
    """
    if not on.family:
        raise FleetError(
            f"No engine can be installed on {on.name}: Debian, Ubuntu, the RHEL family and Fedora are known. "
            "Install Docker Engine 20.10 or later by hand, and it will be used."
        )
    own = on.upstream in ("debian", "ubuntu", "fedora")
    if wanted == "auto":
        there = ENGINES.get(of_engine(on, installed))
        return there or ("distribution" if own else "docker")
    if wanted == "distribution" and not own:
        raise FleetError(f"source: 'distribution' offers no engine on {on.name}: use docker, or auto.")
    return wanted


def of_engine(on: Release, installed: Mapping[str, str]) -> str:
    """The installed package that holds dockerd; empty for none that is known, as Microsoft's moby-engine for Debian."""
    known = [name for name in ENGINES if name != "moby-engine" or on.upstream == "fedora"]
    return next((name for name in known if name in installed), "")


def engine(on: Release, origin: str) -> tuple[str, ...]:
    """The packages of an engine, its CLI and BuildKit, dockerd's own first."""
    if origin == "docker":
        return (*FROM_DOCKER, "ca-certificates")
    if on.upstream == "fedora":
        return ("moby-engine", "docker-cli", "docker-buildx")
    if on.codename in ALL_IN_ONE:
        return ("docker.io", "iptables", "ca-certificates")
    cli = ("docker-cli",) if on.upstream == "debian" else ()
    return ("docker.io", *cli, "docker-buildx", "iptables", "ca-certificates")


def has_sdk(on: Release) -> bool:
    """Whether the distribution packages the Docker SDK for Python."""
    return on.upstream in ("debian", "ubuntu", "fedora")


def missing(packages: tuple[str, ...], version: str, installed: Mapping[str, str], family: str) -> list[str]:
    """What to tell the package manager to install, pinned where a version is wanted."""
    return [
        _pinned(package, version, family)
        for package in packages
        if not installed.get(package) or (package in VERSIONED and not is_version(installed[package], version))
    ]


def is_version(installed: str, wanted: str) -> bool:
    """Whether 5:27.3.1-1~debian.12 is a 27.3: the same, or the same with more behind a separator."""
    plain = installed.split(":", 1)[-1]
    rest = plain[len(wanted) :]
    return not wanted or (plain.startswith(wanted) and (not rest or not rest[0].isalnum()))


def locked(locks: str) -> list[str]:
    """The packages that dnf's lists of locks name: ``docker-ce-3:27.3.1-1.el9.*`` a line, or ``name = "docker-ce"``."""
    return [
        name for name in sorted(VERSIONED) if re.search(rf'(^|")(\d+:)?{re.escape(name)}("|-(\d+:)?\d)', locks, re.M)
    ]


def fits(docker: str, requests: str) -> bool:
    """Whether these versions of the SDK and of requests work: an SDK before 7.1 breaks with requests 2.32 and later."""
    sdk, transport = _numbers(docker), _numbers(requests)
    return sdk >= (7, 1) or (sdk >= (5, 0) and transport < (2, 32))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _pinned(package: str, version: str, family: str) -> str:
    if not version or package not in VERSIONED:
        return package
    if family == "redhat":
        return f"{package}-{version}*"
    epoch = "5:" if package.startswith("docker-ce") else ""
    # Of a version in full no other one may follow its digits: 20.10.2 is not 20.10.24.
    behind = "[!0-9]*" if re.fullmatch(r"\d+\.\d+\.\d+", version) else "*"
    return f"{package}={epoch}{version}{behind}"
