# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of a distribution, taken from this machine's own mirrors for a host of any of its releases."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile

from .._errors import FleetError
from ..base import _base, _rootfs
from ..dockerd import _machine
from . import _bundle, _debs, _files
from ._debs import Deb

# Keys that mirrors sign with, as the distributions ship them.
KEYS = (
    "/etc/apt/trusted.gpg.d/*",
    "/usr/share/keyrings/debian-archive-keyring.*",
    "/usr/share/keyrings/ubuntu-archive-keyring.*",
)


def fetch(wanted: _bundle.Wanted, release: str, check: bool) -> list[str]:
    """Have the packages for ``release`` in its folder, with an index and nothing else; the steps that takes."""
    part = f"packages/{release}"
    folder = os.path.join(wanted.path, part)
    with tempfile.TemporaryDirectory() as scratch:
        apt = _prepare(scratch, release, wanted.recommends)
        needed = _debs.files(_apt([*apt, "--print-uris", "install", *_bundle.names(wanted, release)], release))
        if not needed:
            raise FleetError(
                f"bundle_releases: APT names no files of packages for {release}: `apt-get update` may help."
            )
        lacking = _debs.lacking(needed, _there(folder))
        names = {deb.file for deb in needed}
        extra = _files.sweep(wanted.path, part, lambda name: name in {*names, _debs.INDEX}, check)
        steps = [f"remove {name}" for name in extra]
        if lacking:
            megabytes = sum(deb.size for deb in lacking) / 1e6
            steps.append(f"fetch {len(lacking)} packages for {release} ({megabytes:.0f} MB)")
        if lacking and not check:
            os.makedirs(os.path.join(folder, "partial"), exist_ok=True)
            here = ["-o", f"Dir::Cache::archives={folder}"]
            _apt([*apt, *here, "--download-only", "install", *_bundle.names(wanted, release)], release)
            _files.sweep(wanted.path, part, lambda name: name in {*names, _debs.INDEX}, check)
    index = os.path.join(folder, _debs.INDEX)
    if not check and (lacking or _debs.indexed(_files.read(index)) != names):
        _files.write(index, _debs.index(_described(folder, deb) for deb in needed))
    return steps


def _prepare(scratch: str, release: str, recommends: bool) -> list[str]:
    """APT with state of its own and the mirrors' indexes for ``release``; the start of its command."""
    if not shutil.which("apt-get", path=_machine.PATH):
        raise FleetError(
            "bundle_releases: packages are taken by apt-get, which is not here: make the bundle on Debian or Ubuntu, "
            "or without packages (bundle_releases: []) for hosts that have an engine."
        )
    _status, listing = _machine.run(["apt-get", "indextargets", "--format", _rootfs.INDEXES])
    host = _rootfs.host()
    if _base.RELEASES[release] != host.upstream:
        raise FleetError(
            f"bundle_releases: {release!r} cannot be had on this machine, which runs {host.name}: make the bundle on "
            f"{_base.RELEASES[release].capitalize()}."
        )
    mirrors = _base.sources(_base.targets(listing), host.codename, release)
    for name in ("lists/partial", "archives/partial", "keys", "none"):
        os.makedirs(os.path.join(scratch, name))
    for key in (key for pattern in KEYS for key in glob.glob(pattern)):
        shutil.copy(key, os.path.join(scratch, "keys"))
    _files.write(os.path.join(scratch, "status"), "")
    _files.write(os.path.join(scratch, "sources.list"), "\n".join(mirrors) + "\n")
    command = ["apt-get", "--quiet", "--yes", *_debs.elsewhere(scratch, recommends)]
    _apt([*command, "--error-on=any", "update"], release)
    return command


def _apt(command: list[str], release: str) -> str:
    status, said = _machine.run(command)
    if status:
        raise FleetError(f"bundle_releases: APT cannot have the packages for {release}: {_debs.errors(said)}")
    return said


def _there(folder: str) -> dict[str, int]:
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return {name: os.path.getsize(os.path.join(folder, name)) for name in names}


def _described(folder: str, deb: Deb) -> Deb:
    path = os.path.join(folder, deb.file)
    status, control = _machine.run(["dpkg-deb", "--field", path])
    if status:
        raise FleetError(f"{path} is no package: {control}. Run again, and it is fetched once more.")
    return Deb(deb.file, os.path.getsize(path), control, _files.sha256(path))
