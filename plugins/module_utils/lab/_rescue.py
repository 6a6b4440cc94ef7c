# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that somebody saved beside the work directory: they would go with the container, so they are brought over."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, count
from typing import IO

from .._engine import Engine, translated
from ._container import Found, places, work_target
from ._host import own_tree
from ._lab import Lab, is_in, same_place
from ._plan import LabPlan, Step

ENDS_CONTAINER = ("replace", "remove")
DELETED = 2  # a kind of change, https://docs.docker.com/reference/api/engine/ (ContainerChanges)


def planned(engine: Engine, plan: LabPlan) -> LabPlan:
    """The plan, with a step that brings files over before the step that ends their container; asked once more, by what
    is there now."""
    plan = replace(plan, steps=tuple(step for step in plan.steps if step.action != "rescue"))
    if not plan.found or not plan.found.lab.work_dir:
        return plan
    for position, step in enumerate(plan.steps):
        if step.action in ENDS_CONTAINER:
            names = stray_files(engine, plan.found)
            told = f"{', '.join(names)} would go with the container, and is copied to {plan.found.lab.work_dir}"
            rescue = (Step("rescue", told),) if names else ()
            return replace(plan, steps=(*plan.steps[:position], *rescue, *plan.steps[position:]))
    return plan


def stray_files(engine: Engine, found: Found) -> list[str]:
    """What was saved in the home directory outside of work; hidden files are settings and caches, not work."""
    with translated(f"compare the lab {found.lab.name} with its image"):
        changes = engine.api.diff(found.container) or []
    home, mounted = _home(found), places(found.as_created)
    kept = [item["Path"] for item in changes if item["Kind"] != DELETED and item["Path"].startswith(f"{home}/")]
    # A place to mount on is in the container; what is mounted there is not.
    own = [path for path in kept if not any(same_place(path, place) for place in mounted)]
    names = {path[len(home) + 1 :].split("/")[0] for path in own}
    return sorted(name for name in names if not name.startswith("."))


def carry(engine: Engine, found: Found, wanted: Lab, state_dir: str) -> str:
    """Copy the stray files to a new directory in the work directory, owned by who owns the lab; its path, or ''.

    Where that has been moved, it is the wanted lab's that they come to.
    """
    names = stray_files(engine, found)
    if not names:
        return ""
    home, mounted = _home(found), places(found.as_created)
    os.makedirs(state_dir, mode=0o700, exist_ok=True)
    there = os.path.isdir(found.lab.work_dir)
    with _stand_ins(found), tempfile.TemporaryDirectory(dir=state_dir) as private:
        for name in names:
            with translated(f"copy {name} out of the lab {found.lab.name}"):
                chunks, _about = engine.api.get_archive(found.container, f"{home}/{name}")
                _unpack(chunks, private, [place[len(home) + 1 :] for place in mounted if is_in(place, home)])
        work = found.lab.work_dir if there else wanted.work_dir
        into = _free(os.path.join(work or state_dir, time.strftime("rescued-%Y%m%d-%H%M%S")))
        shutil.copytree(private, into, symlinks=True)
        own_tree(into, found.lab.ids)
    return into


def _free(path: str) -> str:
    """The path, or with a number where two come in one second."""
    names = chain([path], (f"{path}-{number}" for number in count(2)))
    return next(name for name in names if not os.path.lexists(name))


@contextlib.contextmanager
def _stand_ins(found: Found) -> Iterator[None]:
    """Of a stopped container an engine gives nothing when what is mounted in it is gone: empty directories do."""
    sources = [found.as_created.work_dir, *(mount["source"] for mount in found.as_created.mounts)]
    made = [path for path in sources if not os.path.lexists(path)]
    try:
        for path in made:
            os.makedirs(path)
        yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def _home(found: Found) -> str:
    return os.path.dirname(work_target(found.as_created))


def _unpack(chunks: Iterable[bytes], directory: str, without: Iterable[str]) -> None:
    with tempfile.TemporaryFile(dir=directory) as archive:
        archive.writelines(chunks)
        archive.seek(0)
        _extract(archive, directory, without)


def _extract(archive: IO[bytes], directory: str, without: Iterable[str]) -> None:
    """Files, directories and links: nothing else in a home directory is work. Links last, so that nothing comes to
    where one leads."""
    with tarfile.open(fileobj=archive) as tar:
        links = []
        for member in tar:
            meant = not any(is_in(member.name, place) for place in without) and _is_inside(member.name)
            plain = member.isreg() or member.isdir() or (member.islnk() and _is_inside(member.linkname))
            if meant and plain:
                tar.extract(member, directory)
            elif meant and member.issym():
                links.append(member)
        for member in links:
            os.symlink(member.linkname, os.path.join(directory, member.name))


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")
