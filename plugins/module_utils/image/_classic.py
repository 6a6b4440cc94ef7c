# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder that every engine has, for hosts on which no command can build with BuildKit.

It has neither secrets nor caches: what a host trusts cannot reach such a build without staying in the image.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .._engine import Engine, translated
from .._errors import BuildError, masked
from . import _dockerfile
from ._build import Order

WARNING = (
    "No docker command on this host can build with BuildKit, so the engine's old builder was taken, without caches and "
    "without the host's certificates: Docker's buildx plugin (docker-buildx in Debian and Ubuntu) brings both."
)
# Build arguments that an engine knows without being told, and keeps out of an image's history.
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def run(engine: Engine, order: Order, show: Callable[[str], None]) -> None:
    """Build, showing the engine's lines as they come. Raises BuildError with the last of them."""
    with open(order.dockerfile, encoding="utf-8") as file:
        text = _dockerfile.without_mounts(file.read())
    with open(order.dockerfile, "w", encoding="utf-8") as file:
        file.write(text)
    with translated("build the image"):
        lines = engine.api.build(
            path=order.context,
            dockerfile=os.path.relpath(order.dockerfile, order.context),
            tag=order.tags[0] if order.tags else None,
            labels=dict(order.labels),
            buildargs={**_proxies(order), **order.build_args},
            target=order.target or None,
            platform=order.platform or None,
            nocache=order.fresh,
            rm=True,
            forcerm=True,
            decode=True,
        )
        image = _follow(lines, show)
        for name in order.tags[1:]:
            engine.api.tag(image, *name.rsplit(":", 1))
        if order.output:
            _take_out(engine, image, order.output)


def _follow(lines: Iterable[Mapping[str, Any]], show: Callable[[str], None]) -> str:
    """Show what a build says; the id of its image."""
    image = ""
    said: list[str] = []
    for line in lines:
        for text in masked(line.get("stream") or "").splitlines():
            if text.strip() and not text.lstrip().startswith(("--->", "Removing intermediate")):
                show(text.rstrip())
                said = [*said[-39:], text.rstrip()]
        if "error" in line:
            raise BuildError(f"The image could not be built. {masked(line['error'])}", output=said)
        image = (line.get("aux") or {}).get("ID") or image
    return image


def _take_out(engine: Engine, image: str, folder: str) -> None:
    """Copy the files of an image into a folder. The image goes: it was made for them alone."""
    container = engine.api.create_container(image, ["none"])["Id"]
    try:
        blocks, _about = engine.api.get_archive(container, f"/{_dockerfile.ANSWER}")
        with tarfile.open(fileobj=io.BytesIO(b"".join(blocks))) as archive:
            archive.extract(_dockerfile.ANSWER, folder)
    finally:
        engine.api.remove_container(container, force=True)
        engine.api.remove_image(image)


def _proxies(order: Order) -> dict[str, str]:
    """The proxies among the variables of a build."""
    with open(order.secrets["build_env"], encoding="utf-8") as file:
        said = re.findall(r"^export (\w+)='?(.*?)'?$", file.read(), re.M)
    return {name: value for name, value in said if name in PROXIES}
