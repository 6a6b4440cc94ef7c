# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an image: find out which packages it needs, then build it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from .._engine import Engine, translated
from .._errors import BuildError, InvalidInput, masked
from .._settings import config_of
from . import _build, _classic, _context, _dockerfile, _images, _lock
from ._build import Command, Order
from ._context import Context
from ._kept import Image
from ._lock import Layers, Lock
from ._recipe import LABEL, Directory, Recipe, Wanted
from ._requirements import name_of

# What repo2docker tells a directory's Dockerfile of the user, who is the base's here.
USER_ARGS = {"NB_USER": "jovyan", "NB_UID": "1000"}
NO_COMMAND = (
    "No docker command on this host can build with BuildKit, which keeps secrets out of images and downloads in a "
    "cache: install Docker's buildx plugin (docker-buildx in Debian and Ubuntu, docker-buildx-plugin of Docker's own)."
)


@dataclass(frozen=True)
class Ground:
    """What an image is made on. ``before`` is the image that has the name, ``found`` one of this very recipe."""

    base: Mapping[str, Any]
    digest: str
    before: Image | None = None
    found: Image | None = None


def make(
    engine: Engine, wanted: Wanted, ground: Ground, check: bool, show: Callable[[str], None], warnings: list[str]
) -> Image:
    """The image that results: ``ground.found`` where nothing is newer. With ``check`` it has no id and is not built.

    Raises BuildError: the requirements cannot be resolved, or a step failed.
    """
    command = _build.find()
    if command is None:
        _need_no_secrets(wanted)
        warnings.append(_classic.WARNING)
    recipe = wanted.recipe
    if not recipe.dockerfile:
        _need_platform(engine, recipe, ground.base)
    with _context.opened(wanted) as context:
        if recipe.dockerfile:
            key = os.urandom(32).hex() if ground.found else ground.digest
            image = _planned(wanted, key, _labels(wanted, ground, None, ()))
            order = _as_it_is(recipe, context, image, bool(ground.found))
        else:
            lock = _resolve(engine, command, wanted, ground, context, show)
            warnings += [f"requirements: {text}" for text in lock.warnings]
            if ground.found and lock.packages == ground.found.said("packages", {}):
                return ground.found
            layers = _lock.layers(lock, *_history(ground.before))
            key = hashlib.sha256(json.dumps([ground.digest, lock.packages]).encode()).hexdigest()
            image = _planned(wanted, key, _labels(wanted, ground, lock, layers))
            order = _generated(recipe, context, image, ground.base, lock, layers)
        if check:
            return image
        _run(engine, command, order, show)
    return _images.image(engine, wanted.name)


def _run(engine: Engine, command: Command | None, order: Order, show: Callable[[str], None]) -> None:
    if command:
        _build.run(engine, command, order, show)
    else:
        _classic.run(engine, order, show)


def _need_platform(engine: Engine, recipe: Recipe, base: Mapping[str, Any]) -> None:
    """Refuse a base that is here for another platform: a builder passes it over, and looks for one in a registry."""
    there, asked = _images.platform(base), recipe.platform
    if not asked:
        with translated("ask the engine for its platform"):
            engines = engine.api.version()
        asked = f"{engines['Os']}/{engines['Arch']}"
    if not replace(recipe, platform=asked).suits(there):
        wanted = f"is here for {there}, and an image for {asked} is to be built: take a base for that, or pull it anew."
        raise InvalidInput("base", recipe.base, wanted)


def _name(recipe: Recipe, base: Mapping[str, Any]) -> str:
    """What a builder calls the base; an id it would take for a repository."""
    if not base["Id"][7:].startswith(recipe.base.removeprefix("sha256:")):
        return recipe.base
    if not base.get("RepoTags"):
        wanted = "is an image without a name, which no builder finds: give it one with `docker tag`, and write that."
        raise InvalidInput("base", recipe.base, wanted)
    return sorted(base["RepoTags"])[0]


def _need_no_secrets(wanted: Wanted) -> None:
    """Refuse what the old builder would leave in the image."""
    needs = wanted.recipe.requirements
    directory = wanted.recipe.directory
    files = [name for name in (directory.conda, directory.post_build, directory.start) if name] if directory else []
    read = [_context.text(cast(Directory, directory), name) for name in files]
    lines = (needs.index_url, *needs.extra_index_urls, *needs.lines, *needs.constraints, *wanted.recipe.post_build)
    said = "\n".join((*lines, *read))
    if wanted.recipe.dockerfile or wanted.ca_bundle or masked(said) != said:
        raise BuildError(NO_COMMAND)


def _resolve(
    engine: Engine,
    command: Command | None,
    wanted: Wanted,
    ground: Ground,
    context: Context,
    show: Callable[[str], None],
) -> Lock:
    recipe = wanted.recipe
    needs = recipe.requirements
    layers, packages = _history(ground.before)
    newer = [name_of(line) for line in needs.lines] if ground.found else []
    request = {
        "lines": needs.lines,
        "constraints": needs.constraints,
        "options": [
            *(["--prerelease", "allow"] if needs.prerelease else []),
            *(word for name in needs.no_binary for word in ("--no-binary", name)),
            *(word for name in needs.only_binary for word in ("--only-binary", name)),
        ],
        "preferred": {} if ground.found else {name: packages[name] for layer in layers for name in layer},
        "newer": newer,
        "python": recipe.directory.python if recipe.directory else "",
        "user": config_of(ground.base).get("User") or "",
        # An index changes while a request does not: no answer may come from the engine's cache.
        "nonce": os.urandom(8).hex(),
    }
    _context.write(context.folder, "request.json", json.dumps(request))
    text = _dockerfile.resolving(recipe, _name(recipe, ground.base), ground.base["Id"][7:15])
    order = Order(
        context=context.folder,
        dockerfile=_context.write(context.folder, "Dockerfile", text),
        secrets=context.secrets,
        titles=_titles(recipe, ()),
        target="lock",
        output=context.output,
        platform=recipe.platform,
    )
    _run(engine, command, order, show)
    with open(os.path.join(context.output, _dockerfile.ANSWER), encoding="utf-8") as file:
        return _lock.read(file.read(), needs)


def _generated(
    recipe: Recipe, context: Context, image: Image, base: Mapping[str, Any], lock: Lock, layers: Layers
) -> Order:
    """The order for an image of our own Dockerfile."""
    for number, layer in enumerate(layers, 1):
        for part, names in enumerate(_lock.parts(lock, layer), 1):
            _context.write(context.folder, f"layer-{number}/pylock.{part}.toml", _lock.pylock(lock, names))
    text = _dockerfile.building(recipe, _name(recipe, base), base["Id"][7:15], lock.base, layers, config_of(base))
    return Order(
        context=context.folder,
        dockerfile=_context.write(context.folder, "Dockerfile", text),
        tags=image.tags,
        labels=image.labels,
        build_args=dict(recipe.build_args),
        secrets=context.secrets,
        titles=_titles(recipe, layers),
        platform=recipe.platform,
    )


def _as_it_is(recipe: Recipe, context: Context, image: Image, fresh: bool) -> Order:
    """The order for a directory's own Dockerfile. ``fresh``: nothing may come from the engine's cache."""
    directory = cast(Directory, recipe.directory)
    args = _dockerfile.declared(_context.text(directory, directory.dockerfile), USER_ARGS)
    return Order(
        context=directory.path,
        dockerfile=os.path.join(directory.path, directory.dockerfile),
        tags=image.tags,
        labels=image.labels,
        build_args={**args, **dict(recipe.build_args)},
        secrets=context.secrets,
        platform=recipe.platform,
        fresh=fresh,
    )


def _history(before: Image | None) -> tuple[Layers, dict[str, str]]:
    """The layers and the packages of the image before; none where it was not built by this collection."""
    if before is None or not before.ours:
        return (), {}
    return tuple(tuple(layer) for layer in before.said("layers", [])), before.said("packages", {})


def _planned(wanted: Wanted, key: str, labels: dict[str, str]) -> Image:
    """An image that is not there yet. Beside the name that moves it has one that tells it from all others."""
    tag = key[:12]
    return Image("", (wanted.name, f"{wanted.repository}:{tag}"), {**labels, f"{LABEL}tag": tag})


def _labels(wanted: Wanted, ground: Ground, lock: Lock | None, layers: Layers) -> dict[str, str]:
    ours = {
        "name": wanted.repository,
        "recipe": ground.digest,
        "declaration": json.dumps(wanted.recipe.declaration(), sort_keys=True),
        "base": "" if wanted.recipe.dockerfile else wanted.recipe.base,
        # Said even where there is nothing to say: a base has such labels, and its own are not this image's.
        "packages": json.dumps(lock.packages if lock else {}),
        "layers": json.dumps(layers),
        "python": lock.base.python if lock else "",
        "jupyterlab": lock.packages.get("jupyterlab", "") if lock else "",
    }
    return {**dict(wanted.recipe.labels), **{LABEL + name: value for name, value in ours.items()}}


def _titles(recipe: Recipe, layers: Layers) -> dict[str, str]:
    """Parts of a step's text, and what the step is called for people."""
    installing = {
        f"install {_dockerfile.TOOLS}-layer-{number}": f"Installing {_some(layer)}"
        for number, layer in enumerate(layers, 1)
    }
    hooks = {
        f"exec {_dockerfile.TOOLS}-hook-{number}": f"Running {script.strip().splitlines()[-1]}"
        for number, script in enumerate(recipe.post_build)
        if script.strip()
    }
    return {
        **installing,
        **hooks,
        f"{_dockerfile.INSIDE} resolve": "Finding the packages that fit together",
        "env update -q": "Updating the conda environment",
        _dockerfile.PROJECT: "Installing the directory's project",
        "postBuild": "Running postBuild",
        "apt-get ": f"Installing system packages: {_some(recipe.packages)}",
        "COPY --chown=": "Copying files",
    }


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:6])
    return f"{shown} and {len(names) - 6} more" if len(names) > 6 else shown
