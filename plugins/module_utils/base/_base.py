# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A base image as it is asked for, and where it can come from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._errors import BuildError, InvalidInput
from ..dockerd._packages import Release
from ..image._recipe import REFERENCE

LABEL = "fleet.myjupyter.made-from"
ROOTFS = "myjupyter-rootfs"
RELEASES = {"bookworm": "debian", "trixie": "debian", "jammy": "ubuntu", "noble": "ubuntu", "resolute": "ubuntu"}
ORIGINS = ("Debian", "Ubuntu")
# What every base has from APT: APT itself, which Ubuntu's smallest variant lacks, Python, what start.sh calls, and what
# the Docker Stacks' base-notebook offers beside.
PACKAGES = (
    "apt",
    "python3",
    "python3-venv",
    "ca-certificates",
    "tini",
    "locales",
    "sudo",
    "procps",
    "netbase",
    "bzip2",
    "wget",
    "fonts-liberation",
    "pandoc",
)


@dataclass(frozen=True)
class Base:
    """What was asked for. ``release`` may be empty: the host's own; ``jupyterlab`` too: the newest.

    ``context`` is the build's: file names with their contents.
    """

    name: str
    source: str
    registry_image: str
    archive: str
    release: str
    jupyterlab: str
    packages: tuple[str, ...]
    context: Mapping[str, str]
    refresh: bool
    log: str

    @property
    def registry_repository(self) -> str:
        """The image to pull without its tag."""
        return _tagged(self.registry_image.split("@")[0]).rpartition(":")[0]

    @property
    def registry_reference(self) -> str:
        """The image to pull; one version of JupyterLab is a tag of its own in the Docker Stacks."""
        if not self.jupyterlab:
            return self.registry_image
        return f"{self.registry_repository}:lab-{self.jupyterlab}"

    @property
    def is_exact(self) -> bool:
        """Whether one version is asked for: the Docker Stacks have no tags for less."""
        return self.jupyterlab.count(".") != 1 and self.jupyterlab != "4"

    @property
    def archive_mark(self) -> str:
        """The second name of an image that came from an archive, by which it is known again."""
        return f"{self.name.rpartition(':')[0]}:from-archive"

    @property
    def requirement(self) -> str:
        """JupyterLab as pip asks for it: 4.6 is the newest 4.6."""
        if not self.jupyterlab:
            return "jupyterlab"
        exact = self.jupyterlab.count(".") > 1
        return f"jupyterlab=={self.jupyterlab}{'' if exact else '.*'}"


@dataclass(frozen=True)
class Choice:
    """Where the base comes from (``present``: nothing to do), and why, for a person to read."""

    source: str
    reason: str


class Target(NamedTuple):
    """One index that the host's APT reads, as `apt-get indextargets` tells it."""

    uri: str
    suite: str
    codename: str
    component: str
    origin: str


def parse(options: Mapping[str, Any]) -> Base:
    """The base that a module's options ask for.

    Raises InvalidInput for a release or version that none can be made of, and for a source without its means.
    """
    version, release, archive = options["jupyterlab_version"], options["release"], options["archive"] or ""
    for option, wanted in (("name", "is no name for an image"), ("registry_image", "is no name of an image")):
        if not REFERENCE.fullmatch(options[option]):
            raise InvalidInput(option, options[option], f"{wanted}, such as quay.io/jupyter/base-notebook:latest.")
    if version and not re.fullmatch(r"4(\.\d+)?|4\.\d+\.\d+((a|b|rc)\d+)?", version):
        raise InvalidInput("jupyterlab_version", version, "is no JupyterLab 4: write 4.6, 4.6.1, or '' for the newest.")
    if release and release not in RELEASES:
        raise InvalidInput("release", release, f"is not one of {', '.join(RELEASES)}; '' is the host's own.")
    for package in options["packages"]:
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", package):
            raise InvalidInput("packages", package, "cannot be the name of a package of Debian or Ubuntu.")
    if options["source"] == "archive" and not archive:
        raise InvalidInput("archive", archive, "names no file, and source is 'archive': give a tar's path.")
    if options["source"] in ("auto", "build") and "Dockerfile" not in options["context"]:
        raise InvalidInput("context", sorted(options["context"]), "has no Dockerfile, but a build needs one.")
    return Base(
        name=_tagged(options["name"]),
        source=options["source"],
        registry_image=options["registry_image"],
        archive=archive,
        release=release,
        jupyterlab=version,
        packages=tuple(sorted({*PACKAGES, *options["packages"]})),
        context=options["context"],
        refresh=options["refresh"],
        log=options["log"] or "",
    )


def digest(wanted: Base, host: Release) -> str:
    """Names what a build on ``host`` is made from; two that are equal need no second build."""
    release = wanted.release or host.codename
    inputs = [release, wanted.requirement, wanted.packages, sorted(wanted.context.items())]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def rootfs_digest(wanted: Base, release: str) -> str:
    """Names what a root filesystem is made from."""
    return hashlib.sha256(json.dumps([release, wanted.packages]).encode()).hexdigest()


def release(wanted: Base, host: Release) -> str:
    """The release to build: the one asked for, or the host's own.

    Raises BuildError where this host's APT does not serve that release.
    """
    chosen = wanted.release or host.codename
    own = host.codename if host.family == "debian" else ""
    if chosen and (chosen == own or RELEASES.get(chosen) == host.upstream):
        return chosen
    raise BuildError(
        f"release: {chosen or 'its own'!r} cannot be built on this host, which runs {host.name}: take the base "
        "from a registry or an archive (source), or build it on a host of that release's family."
    )


def sources(targets: Iterable[Target], host: str, release: str) -> list[str]:
    """APT's source lines for ``release``, from the mirrors that the release ``host`` has for its own archive.

    Other repositories of the host are left out: by their Release file's Origin or, on mirrors that sign with
    their own, by suites and component. Raises BuildError where nothing remains.
    """
    suites = {host, f"{host}-updates", f"{host}-security"}
    own = [target for target in targets if _suite(target, host) in suites]
    official = [target for target in own if target.origin in ORIGINS]
    kept = official or [target for target in own if target.component == "main"]
    if not any(_suite(target, host) == host for target in kept):
        raise BuildError(
            f"This host's APT knows no archive of {host}: run `apt-get update`, "
            "and see that /etc/apt names a mirror of the distribution."
        )
    lines = dict.fromkeys(
        f"deb {target.uri} {_suite(target, host).replace(host, release, 1)} {target.component}" for target in kept
    )
    return list(lines)


def targets(listing: str) -> list[Target]:
    """What _rootfs's `apt-get indextargets` printed."""
    rows = (line.split("|") for line in listing.splitlines())
    return [Target(*row) for row in rows if len(row) == len(Target._fields)]


def _suite(target: Target, host: str) -> str:
    """A suite by its codename, also where the host says stable."""
    return target.suite if target.suite.startswith(host) else target.codename


def _tagged(name: str) -> str:
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
