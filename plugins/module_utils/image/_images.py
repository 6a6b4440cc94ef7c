# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine's images: finding, pulling, loading, naming, removing."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from .._engine import Engine, is_absent, patient, translated, with_login
from .._errors import BuildError, EngineError
from .._settings import config_of
from . import _kept, _saved
from ._kept import Image
from ._recipe import REFERENCE, familiar
from ._saved import Saved

# How engines and registries say that they do not know who asks.
NEEDS_LOGIN = re.compile(r"unauthorized|authentication required|denied|no basic auth")


def find(engine: Engine, name: str) -> dict[str, Any]:
    """What the engine knows of an image; empty where it has none of that name."""
    try:
        with translated(f"inspect the image {name}"):
            return engine.api.inspect_image(name)
    except EngineError as error:
        if is_absent(error):
            return {}
        raise


def named(engine: Engine, repository: str) -> list[Image]:
    """The images of a repository, newest first."""
    with translated(f"list the images of {repository}"):
        found = engine.api.images(filters={"reference": repository})
    return _kept.newest_first(found)


def image(engine: Engine, name: str) -> Image:
    """An image that is there, by its name."""
    found = of(find(engine, name))
    if found is None:
        raise EngineError(f"The image {name} was made, and now the engine does not have it: was it removed meanwhile?")
    return found


def of(found: Mapping[str, Any]) -> Image | None:
    """An image, from what the engine says of it by `inspect`; None for nothing."""
    if not found:
        return None
    tags = tuple(sorted(found.get("RepoTags") or []))
    return Image(
        found["Id"],
        tags,
        config_of(found).get("Labels") or {},
        int(_seconds(found.get("Created"))),
        found["Size"],
    )


def platform(found: Mapping[str, Any]) -> str:
    """The system and processor of an inspected image."""
    return f"{found['Os']}/{found['Architecture']}"


def about(image: Image, name: str) -> dict[str, Any]:
    """An image as a result tells of it."""
    packages = image.said("packages", {})
    return {
        "name": name,
        "id": image.id,
        "tags": list(image.tags),
        "size": image.size,
        "base": image.said("base", ""),
        "recipe": image.said("recipe", ""),
        "python": image.said("python", ""),
        "jupyterlab": image.said("jupyterlab", ""),
        "packages": packages,
    }


def users(engine: Engine) -> dict[str, list[str]]:
    """The names of the containers, running or not, by the id of their image."""
    with translated("list the containers"):
        containers = engine.api.containers(all=True)
    found: dict[str, list[str]] = {}
    for item in containers:
        found.setdefault(item["ImageID"], []).append((item["Names"] or [f"/{item['Id'][:12]}"])[0].lstrip("/"))
    return {image: sorted(names) for image, names in found.items()}


def name(engine: Engine, image: str, reference: str) -> None:
    """Give an image a name, and take it from the one that had it."""
    repository, _colon, tag = reference.rpartition(":")
    with translated(f"name {image} {reference}"):
        engine.api.tag(image, repository, tag)


@contextlib.contextmanager
def restored(engine: Engine, references: Iterable[str]) -> Iterator[dict[str, str]]:
    """Names that are afterwards those of the images that they were before, or of none; the ids by name."""
    before = {reference: find(engine, reference).get("Id", "") for reference in references}
    try:
        yield before
    finally:
        for reference, image in before.items():
            found = find(engine, reference).get("Id", "")
            if image and image != found:
                name(engine, image, reference)
            elif found and not image:
                remove(engine, reference)


def remove(engine: Engine, reference: str) -> None:
    """Remove a name, or an image by its id; the engine refuses where a container needs it."""
    with translated(f"remove the image {reference}"):
        engine.api.remove_image(reference)


def latest_digest(engine: Engine, reference: str) -> str:
    """The digest that a registry has for a name."""

    def ask(login: dict[str, str] | None) -> str:
        with translated(f"find {reference} in its registry"):
            return engine.api.inspect_distribution(reference, auth_config=login)["Descriptor"]["digest"]

    return with_login(ask)


def pull(engine: Engine, reference: str, platform: str, show: Callable[[str], None]) -> None:
    """Pull an image; raises BuildError with what can be done where it cannot be had."""
    match = cast("re.Match[str]", REFERENCE.fullmatch(reference))
    repository, tag = match[1], (match[3] or "").lstrip("@") or match[2] or "latest"

    def ask(login: dict[str, str] | None) -> None:
        with translated(f"pull {reference}"), patient(engine) as api:
            how = {"tag": tag, "platform": platform or None, "auth_config": login}
            _follow(api.pull(repository, stream=True, decode=True, **how), reference, show)

    show(f"Pulling {reference}")
    try:
        with_login(ask)
    except EngineError as error:
        cause = (str(error).partition(": ")[2] or str(error)).rstrip(".")
        login = "Log in to its registry on this host (`docker login`), as the user who runs this. "
        raise BuildError(
            f"The image {reference} is not on this host and could not be pulled: {cause}. "
            f"{login if NEEDS_LOGIN.search(cause) else ''}"
            "Load it from an archive (state: loaded), name another one, or let the role "
            "myjupyter.fleet.jupyter_base make a base where no registry can be reached."
        ) from error


def inside(found: Mapping[str, Any]) -> dict[str, Any]:
    """What is in an inspected image, as an archive tells it."""
    return _saved.content(found["RootFS"].get("Layers") or [], config_of(found))


def load(engine: Engine, path: str, saved: Saved, reference: str, show: Callable[[str], None]) -> None:
    """Load an archive and give the image that is meant a name; that of its own comes with it, and no other."""
    own = Image("", (), saved.content["labels"]).own
    show(f"Loading {path}")
    with restored(engine, {*saved.names, *saved.others} - {familiar(reference), own}):
        with open(path, "rb") as archive, translated(f"load {path}"), patient(engine) as api:
            said = "".join(line.get("stream", line.get("error", "")) for line in api.load_image(archive))
        match = re.search(r"Loaded image(?: ID)?: (\S+)", said)
        if not match:
            raise BuildError(f"The engine would not load {path}: {said.strip() or 'it did not say why'}.")
        name(engine, (saved.names or match.groups())[0], reference)


def since(found: Mapping[str, Any]) -> float:
    """When an inspected image got its name here: built, pulled or loaded. Seconds since 1970."""
    tagged = (found.get("Metadata") or {}).get("LastTagTime") or ""
    return _seconds(tagged) or _seconds(found.get("Created"))


def _seconds(text: str | None) -> float:
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$", text or "")
    if not match or match[1].startswith("0001"):
        return 0
    whole = datetime.datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    return whole.timestamp() + float(match[2] or 0)


def _follow(lines: Iterable[Mapping[str, Any]], reference: str, show: Callable[[str], None]) -> None:
    for line in lines:
        if "error" in line:
            raise EngineError(f"The engine would not pull {reference}: {line['error']}")
        if line.get("status", "").startswith(("Pull complete", "Status:", "Digest:")):
            show(f"  {line['status']} {line.get('id', '')}".rstrip())
