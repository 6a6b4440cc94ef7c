# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring an image to what is wanted: see what is there, take the steps that lead from it, remove what is too old."""

from __future__ import annotations

import json
import os
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._engine import Engine
from .._errors import EngineError, FleetError, InvalidInput
from .._settings import image_digest
from . import _context, _dockerfile, _images, _kept, _lock, _saved
from ._kept import Image
from ._recipe import Wanted

Show = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What a run comes to. ``after`` is None where no image is wanted; in a check it may be without an id."""

    before: Image | None
    after: Image | None
    steps: Sequence[str] = ()
    warnings: Sequence[str] = field(default_factory=list)


def act(engine: Engine, wanted: Wanted, check: bool) -> dict[str, Any]:
    """The module's result."""
    log = Log("" if check else wanted.log)
    try:
        result = _result(wanted, STATES[wanted.state](engine, wanted, check, log.show))
        if result["image"].get("id"):
            result["image"].update(_inspected(_images.find(engine, result["image"]["id"])))
    except FleetError as error:
        error.details.update({"log": log.path} if log.written else {})
        raise
    return {**result, **({"log": log.path} if log.written else {})}


def without_engine(wanted: Wanted) -> dict[str, Any]:
    """What a check says of a host that has no engine yet."""
    if wanted.state == "absent":
        return _result(wanted, Outcome(None, None))
    verb = {"present": "build", "pulled": "pull", "loaded": "load"}[wanted.state]
    return _result(wanted, Outcome(None, _declared(wanted), [f"{verb} {wanted.name}"]))


def questions(wanted: Wanted) -> list[str]:
    """What to ask an engine to tell whether there is nothing to do; empty where the host's files decide it."""
    recipe = wanted.recipe
    if wanted.state not in ("present", "pulled") or wanted.path or any(file.src for file in recipe.files):
        return []
    filters = urllib.parse.quote(json.dumps({"reference": [wanted.repository]}))
    return [f"/images/{wanted.name}/json", f"/images/{recipe.base}/json", f"/images/json?filters={filters}"]


def settled(wanted: Wanted, answers: Sequence[Any]) -> dict[str, Any] | None:
    """The module's result where there is nothing to do, by the answers to `questions`; None where there is."""
    there, base, listed = answers
    if wanted.state == "pulled":
        outcome = _unchanged(there) if _serves(there, wanted) and not _due(_images.since(there), wanted) else None
    else:
        outcome = _standing(wanted, base, _kept.newest_first(listed)) if there and base and listed else None
    if outcome is None:
        return None
    result = _result(wanted, outcome)
    result["image"].update(_inspected(there))
    return result


def _standing(wanted: Wanted, base: Mapping[str, Any], images: Sequence[Image]) -> Outcome | None:
    """An image that is as its recipe says, where none is due or too old."""
    before, found, _digest = _of_recipe(wanted, [base], images)
    if found is None or found is not before or _due(found.created, wanted):
        return None
    return None if _too_many(wanted.name, wanted.keep, images, found.id) else Outcome(found, found)


def present(engine: Engine, wanted: Wanted, check: bool, show: Show) -> Outcome:
    """Build what the recipe says, unless an image of it is there."""
    wanted = _context.complete(wanted)
    images = _images.named(engine, wanted.repository)
    bases, steps = _bases(engine, wanted, check, show)
    if not all(bases) and not wanted.recipe.dockerfile:
        missing = f"{wanted.recipe.base} is not here yet, so nobody can tell which packages will be installed."
        return Outcome(_named(wanted, images), _declared(wanted), [*steps, f"build {wanted.name}"], [missing])
    before, found, digest = _of_recipe(wanted, bases, images)
    warnings: list[str] = []
    if found and not _due(found.created, wanted):
        after = found
    else:
        from . import _make  # most runs make nothing, and never load it

        ground = _make.Ground(bases[0], digest, before, found)
        after = _make.make(engine, wanted, ground, check, show, warnings)
    if after.id not in {image.id for image in images}:
        steps.append(f"build {wanted.name}")
    elif before is None or after.id != before.id:
        steps.append(f"name {after.id[7:19]} {wanted.name}")
        after = replace(after, tags=tuple(sorted({*after.tags, wanted.name})))
        if not check:
            _images.name(engine, after.id, wanted.name)
    return Outcome(before, after, [*steps, *prune(engine, wanted.name, wanted.keep, images, after.id, check)], warnings)


def pulled(engine: Engine, wanted: Wanted, check: bool, show: Show) -> Outcome:
    """Have the image that a registry has; one that is here serves until it is due."""
    before = _images.find(engine, wanted.name)
    serves = _serves(before, wanted)
    if serves and not _due(_images.since(before), wanted):
        return _unchanged(before)
    if serves:
        digest = _images.latest_digest(engine, wanted.name)
        if any(name.endswith(f"@{digest}") for name in before.get("RepoDigests") or []):
            return _unchanged(before)
    if not check:
        _images.pull(engine, wanted.name, wanted.recipe.platform, show)
        _need_platform(wanted, _images.platform(_images.find(engine, wanted.name)), "all that its registry has")
    after = _declared(wanted) if check else _images.image(engine, wanted.name)
    return Outcome(_images.of(before), after, [f"pull {wanted.name}"])


def loaded(engine: Engine, wanted: Wanted, check: bool, show: Show) -> Outcome:
    """Have the image that an archive holds."""
    saved = _saved.find(wanted.archive, wanted.name)
    _need_platform(wanted, saved.platform, f"the image in {wanted.archive}")
    before = _images.find(engine, wanted.name)
    if before and saved.content == _images.inside(before):
        return _unchanged(before)
    if not check:
        _images.load(engine, wanted.archive, saved, wanted.name, show)
    after = Image("", (wanted.name,), saved.content["labels"]) if check else _images.image(engine, wanted.name)
    return Outcome(_images.of(before), after, [f"load {wanted.name}"])


def absent(engine: Engine, wanted: Wanted, check: bool, show: Show) -> Outcome:
    """Remove the name, or without a tag all images of the repository; none that a container needs."""
    images = _images.named(engine, wanted.repository)
    # A digest goes with the last tag of its repository.
    meant = ((image, _meant(image.tags, wanted) or _meant(image.digests, wanted)) for image in images)
    going = {image.id: names for image, names in meant if names}
    used = _images.users(engine) if going else {}
    for image, names in going.items():
        found = _images.find(engine, image) if image in used else {}
        if found and not {*(found.get("RepoTags") or found.get("RepoDigests") or ())} - {*names}:
            raise EngineError(
                f"{names[0]} is in use by {', '.join(used[image])}: remove these containers "
                "first, for instance with the module myjupyter.fleet.labs and state: absent."
            )
    gone = [name for names in going.values() for name in names]
    if not check:
        for name in gone:
            _images.remove(engine, name)
    return Outcome(_named(wanted, images), None, [f"remove {name}" for name in gone])


STATES = {"present": present, "pulled": pulled, "loaded": loaded, "absent": absent}


def _bases(engine: Engine, wanted: Wanted, check: bool, show: Show) -> tuple[list[dict[str, Any]], list[str]]:
    """What is built on, pulled where it is missing, and the steps that takes; empty where a check would have to pull.

    What a Dockerfile names is left to the build.
    """
    recipe = wanted.recipe
    if recipe.directory and recipe.dockerfile:
        text = _context.text(recipe.directory, recipe.dockerfile)
        return [_images.find(engine, name) for name in _dockerfile.bases(text, dict(recipe.build_args))] or [{}], []
    found = _images.find(engine, recipe.base)
    if found:
        return [found], []
    if not check:
        _images.pull(engine, recipe.base, recipe.platform, show)
        found = _images.find(engine, recipe.base)
    return [found], [f"pull {recipe.base}"]


def prune(engine: Engine, name: str, keep: int, images: Sequence[Image], after: str, check: bool) -> list[str]:
    """Remove what is older than the images to keep, and not in use; the steps that takes. ``after`` is an id.

    First is kept what had the name before, then what was named last.
    """
    if not _too_many(name, keep, images, after):
        return []
    # Images that differ in their configuration alone may all have the age of their base.
    last = {image.id: _images.since(_images.find(engine, image.id)) for image in images}
    recent = sorted(images, key=lambda image: (name not in image.tags, -last[image.id]))
    names = _kept.stale(name, keep, recent, after, _images.users(engine))
    if not check:
        for tag in names:
            _images.remove(engine, tag)
    return [f"remove {tag}" for tag in names]


def _of_recipe(
    wanted: Wanted, bases: Sequence[Mapping[str, Any]], images: Sequence[Image]
) -> tuple[Image | None, Image | None, str]:
    """The image that has the name, one that is of the recipe, and the recipe's digest on these bases."""
    digest = wanted.recipe.digest([base for base in bases if base])
    before = _named(wanted, images)
    same = [image for image in images if image.ours and image.said("recipe", "") == digest]
    return before, before if before in same else next(iter(same), None), digest


def _named(wanted: Wanted, images: Sequence[Image]) -> Image | None:
    return next((image for image in images if wanted.name in (*image.tags, *image.digests)), None)


def _too_many(name: str, keep: int, images: Sequence[Image], after: str) -> bool:
    return len(_kept.superseded(name, images, after)) > keep


def _meant(names: Sequence[str], wanted: Wanted) -> list[str]:
    """Those of an image's names that are to go; of a repository all, where no tag or digest is said."""
    if wanted.tag or "@" in wanted.name:
        return [name for name in names if name == wanted.name]
    return [name for name in names if name.rpartition(":")[0] in (wanted.repository, f"{wanted.repository}@sha256")]


def _serves(found: Mapping[str, Any], wanted: Wanted) -> bool:
    """Whether an image is there, for the platform that was asked for, if one was."""
    return bool(found) and wanted.recipe.suits(_images.platform(found))


def _need_platform(wanted: Wanted, platform: str, what: str) -> None:
    """Refuse an image for another platform than the one that was asked for."""
    if not wanted.recipe.suits(platform):
        raise InvalidInput("platform", wanted.recipe.platform, f"cannot be had: {what} is for {platform}.")


def _due(since: float, wanted: Wanted) -> bool:
    return wanted.refresh is not None and time.time() - since >= wanted.refresh


def _declared(wanted: Wanted) -> Image:
    """An image of which only its name is known."""
    return Image("", (wanted.name,))


def _unchanged(found: Mapping[str, Any]) -> Outcome:
    return Outcome(_images.of(found), _images.of(found))


def _inspected(found: Mapping[str, Any]) -> dict[str, Any]:
    """What only `inspect` tells of an image."""
    layers = found["RootFS"].get("Layers") or []
    return {"layers": layers, "digest": image_digest(found), "platform": _images.platform(found)}


class Log:
    """A file that shows a build's lines to whoever follows it; it is made for the first one."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.written = False

    def show(self, line: str) -> None:
        if not self.path:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_APPEND if self.written else os.O_TRUNC)
        try:
            with open(os.open(self.path, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError as error:
            raise InvalidInput("log", self.path, f"cannot be written on the host: {error.strerror}.") from error
        self.written = True


def _result(wanted: Wanted, outcome: Outcome) -> dict[str, Any]:
    before, after = _said(outcome.before), _said(outcome.after)
    if wanted.state == "present" and not after.get("recipe"):
        after["recipe"] = wanted.recipe.declaration()
    return {
        "changed": bool(outcome.steps),
        "steps": list(outcome.steps),
        "image": _images.about(outcome.after, wanted.name) if outcome.after else {},
        "packages": _packages(outcome),
        "warnings": list(outcome.warnings),
        "diff": {"before_header": wanted.name, "after_header": wanted.name, "before": before, "after": after},
    }


def _packages(outcome: Outcome) -> dict[str, list[str]]:
    """How the packages differ; where there was no image before, from those of the base."""
    after = outcome.after.said("packages", {}) if outcome.after else {}
    if outcome.before and outcome.before.ours:
        return _lock.difference(outcome.before.said("packages", {}), after)
    layers = outcome.after.said("layers", []) if outcome.after else []
    return _lock.difference({}, {name: after[name] for layer in layers for name in layer})


def _said(image: Image | None) -> dict[str, Any]:
    """An image as a diff shows it."""
    if image is None:
        return {}
    if image.id and not image.ours:
        return {"id": image.id}
    said = {
        "id": image.id,
        "recipe": image.said("declaration", {}),
        "packages": [f"{name}=={version}" for name, version in image.said("packages", {}).items()],
    }
    return {name: value for name, value in said.items() if value}
