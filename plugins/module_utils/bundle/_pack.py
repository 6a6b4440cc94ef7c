# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a bundle together: what is lacking in its directory is fetched, what is in vain goes, and all is sealed."""

from __future__ import annotations

import os
import platform
from typing import Any

from .._errors import FleetError, InvalidInput
from . import _bundle, _controller, _fetch, _folder


def act(wanted: _bundle.Wanted, check: bool) -> dict[str, Any]:
    """The module's result."""
    _need_images(wanted, check)
    damaged = [] if check else _folder.drop_damaged(wanted.path)
    steps = [f"replace {name}, which was damaged" for name in damaged]
    for release in wanted.releases:
        steps += _fetch.fetch(wanted, release, check)
    steps += _sweep(wanted, "packages", wanted.releases, check)
    steps += _sweep(wanted, "images", wanted.images, check)
    for key in wanted.images:
        steps += _sweep(wanted, f"images/{key}", _needed(wanted, key), check)
    steps += _controller.wheels(wanted, check)
    version, built = _controller.collection(wanted, check)
    steps += built
    said = _bundle.manifest(wanted, platform.machine(), version)
    texts = {} if check else _seal(wanted, said)
    steps += [f"write {name}" for name in texts]
    return {
        "changed": bool(steps),
        "steps": steps,
        "manifest": said,
        "diff": {"prepared": "".join(f"{step}\n" for step in steps)},
    }


def _need_images(wanted: _bundle.Wanted, check: bool) -> None:
    if not wanted.images:
        raise InvalidInput("images", {}, "has none: the inventory names no host for which one would be made.")
    for key, image in wanted.images.items():
        contents = os.path.join(wanted.path, "images", key, _bundle.CONTENTS)
        if not check and not os.path.exists(contents):
            raise FleetError(
                f"{contents} is missing: pack the image {image['name']} first, as playbooks/bundle.yml does."
            )


def _needed(wanted: _bundle.Wanted, key: str) -> set[str]:
    """The files of an image and its base; in a check they may be yet to come."""
    text = _folder.read(os.path.join(wanted.path, "images", key, _bundle.CONTENTS))
    return _bundle.files_of(text) | {_bundle.CONTENTS} if text else set()


def _sweep(wanted: _bundle.Wanted, part: str, keep: Any, check: bool) -> list[str]:
    return [f"remove {name}" for name in _folder.sweep(wanted.path, part, lambda name: name in keep, check)]


def _seal(wanted: _bundle.Wanted, said: dict[str, Any]) -> list[str]:
    """Write what a bundle says of itself, the checksums last; the files that were not so before."""
    sizes = _folder.sizes(wanted.path)
    texts = {_bundle.MANIFEST: _bundle.as_json(said), _bundle.README: _bundle.readme(said, sizes)}
    written = [name for name, text in texts.items() if _folder.write(os.path.join(wanted.path, name), text)]
    digests = _bundle.sums_text(_folder.digests(wanted.path, [*sizes, *texts]))
    if _folder.write(os.path.join(wanted.path, _bundle.SUMS), digests):
        written.append(_bundle.SUMS)
    return written
