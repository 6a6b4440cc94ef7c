# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab ran on before: its specification on the host's disk, its image under a name that holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from .._engine import Engine
from . import _containers
from ._container import DEFAULT_NETWORK, Found
from ._lab import Lab, digest, name_and_tag
from ._state import StateDir


def keep(engine: Engine, state: StateDir, old: Found) -> None:
    """Note what a lab runs on, before it gets something else."""
    if old.lab.ephemeral:
        return
    name = _name(state, old)
    _containers.name_image(engine, old, name)
    networks = [] if list(old.networks) == [DEFAULT_NETWORK] else sorted(old.networks)
    state.note("generations", replace(old.lab, image=name, networks=networks))


def earlier(labs: Iterable[Lab], found: Mapping[str, Found], state: StateDir) -> list[Lab]:
    """The labs as they were one generation ago. One that was never another stays as it is found."""
    result = []
    for lab in labs:
        before = state.noted("generations", lab.name) or (found[lab.name].lab if lab.name in found else None)
        if lab.state == "absent":
            result.append(lab)
        elif before:
            result.append(_as_it_was(before, lab))
    return result


def without(labs: Iterable[Lab], state: StateDir) -> list[str]:
    """The names of those that cannot go back."""
    return [lab.name for lab in labs if lab.state != "absent" and not state.noted("generations", lab.name)]


def release(engine: Engine, state: StateDir, labs: Iterable[Found]) -> None:
    """Take our names from images that no lab runs on or could go back to."""
    needed = {lab.image for lab in state.all_noted("generations")} | {item.as_created.image for item in labs}
    for name in _containers.image_names(engine):
        if f":{_prefix(state)}" in name and name not in needed:
            _containers.unname_image(engine, name)


def _as_it_was(before: Lab, lab: Lab) -> Lab:
    """A generation with what is not part of one: whether it runs, and by which token it is entered."""
    return replace(
        before, state=lab.state, token=lab.token, token_digest=lab.token_digest, token_file=lab.token_file,
        rootless=lab.rootless,
    )  # fmt: skip


def _name(state: StateDir, old: Found) -> str:
    """A name in the image's own repository, where pruning sees that somebody holds it. It never means another image.
    What is known by its id alone has no repository.
    """
    repository, _tag = name_and_tag(old.as_created.image.partition("@")[0])
    repository = "myjupyter" if repository == "sha256" else repository
    return f"{repository}:{_prefix(state)}{old.lab.image_digest}"


def _prefix(state: StateDir) -> str:
    """Several users may keep labs on one engine, each with a state directory."""
    return f"kept-{digest(state.path)[:8]}-"
