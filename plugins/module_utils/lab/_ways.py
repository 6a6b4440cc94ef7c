# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories that lead to what is mounted in a lab: its owner's, where an engine would make them as root's."""

from __future__ import annotations

import base64
import contextlib
import errno
import io
import json
import os
import tarfile
import time

from .._engine import Engine
from .._errors import LabError
from ._container import ids_inside, places_in_work, ways_at_home
from ._lab import Lab, is_in

ABOUT = "X-Docker-Container-Path-Stat"  # https://docs.docker.com/reference/api/engine/ (ContainerArchiveInfo)
DIRECTORY = 1 << 31  # in a mode as Go writes it
NO_DIRECTORY = (errno.ENOTDIR, errno.ELOOP)


def in_work(lab: Lab) -> None:
    """Make the places of mounts inside the work directory, on the host. Raises LabError."""
    for source, place in places_in_work(lab):
        try:
            _make(os.path.realpath(lab.work_dir), place.split("/"), os.path.isdir(source), lab.ids)
        except OSError as error:
            # People write in there: a link of theirs means something in the container, and is never followed here.
            if error.errno not in NO_DIRECTORY:
                raise LabError(f"{lab.name}: could not make {place} in {lab.work_dir}: {error.strerror}.") from error


def at_home(engine: Engine, container: str, lab: Lab) -> None:
    """Make them in the home directory of a container that never ran."""
    modes = {way: _mode(engine, container, way) for way in ways_at_home(lab)}
    other = [way for way, mode in modes.items() if not mode & DIRECTORY]  # such as a link of the image's
    ways = {way: mode & 0o777 for way, mode in modes.items() if not any(is_in(way, place) for place in other)}
    if ways:
        engine.api.put_archive(container, "/", _packed(ways, ids_inside(lab)))


def _make(top: str, names: list[str], for_directory: bool, ids: tuple[int, int]) -> None:
    here = os.open(top, os.O_DIRECTORY)
    try:
        for name in names if for_directory else names[:-1]:
            here = _enter(here, name, ids)
        if not for_directory:
            with contextlib.suppress(FileExistsError), os.fdopen(_create(names[-1], here)) as file:
                os.fchown(file.fileno(), *ids)
    finally:
        os.close(here)


def _create(name: str, here: int) -> int:
    return os.open(name, os.O_CREAT | os.O_EXCL, 0o644, dir_fd=here)


def _enter(here: int, name: str, ids: tuple[int, int]) -> int:
    """From one directory, which is closed, into one in it, which is made where it is missing."""
    made = False
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=here)
        made = True
    there = os.open(name, os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
    if made:
        os.fchown(there, *ids)
    os.close(here)
    return there


def _mode(engine: Engine, container: str, path: str) -> int:
    """What a path of a container is; where there is nothing, what is to be made there."""
    api = engine.api
    address = f"{api.base_url}/v{api.api_version}/containers/{container}/archive"
    about = api.head(address, params={"path": path}, timeout=engine.address.timeout).headers.get(ABOUT)
    return json.loads(base64.b64decode(about))["mode"] if about else DIRECTORY | 0o755


def _packed(directories: dict[str, int], ids: tuple[int, int]) -> bytes:
    with io.BytesIO() as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for path, mode in directories.items():
                member = tarfile.TarInfo(path)
                member.type, member.mode, member.mtime = tarfile.DIRTYPE, mode, int(time.time())
                member.uid, member.gid = ids
                tar.addfile(member)
        return packed.getvalue()
