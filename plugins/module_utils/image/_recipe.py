# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is built from: options to a recipe, and a recipe to its digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._errors import InvalidInput, masked
from .._settings import settings
from . import _requirements
from ._requirements import Requirements

LABEL = "fleet.myjupyter."
# Changes with whatever makes another image of the same recipe, so that what an older release built is built anew.
GENERATOR = 1

COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
HOST = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))(?::\d+)?/"
REPOSITORY = rf"(?:{HOST})?{COMPONENT}(?:/{COMPONENT})*"
REFERENCE = re.compile(rf"({REPOSITORY})(?::([\w][\w.-]{{0,127}}))?(@sha256:[0-9a-f]{{64}})?", re.ASCII)
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*(?::[a-z0-9]+)?(?:[=/][A-Za-z0-9.+:~*-]+)?")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LABEL_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?")
PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9]+)?")
MODE = re.compile(r"0?[0-7]{3}")
INDEX = re.compile(r"https?://(?!\S*\$\{)\S+")
AGE = re.compile(r"(\d+)([smhdw])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True)
class File:
    """A file to put into an image. One of ``src`` (a path on the host) and ``content`` is given."""

    dest: str
    mode: str = "0644"
    src: str = ""
    content: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Directory:
    """What a directory in repo2docker's convention holds. Paths are relative to ``path``. ``conda_reads``: the
    environment names other files of the directory; ``project``: it is itself something that pip installs."""

    path: str
    digest: str = ""
    dockerfile: str = ""
    requirements: Requirements = field(default_factory=Requirements)
    packages: tuple[str, ...] = ()
    post_build: str = ""
    start: str = ""
    python: str = ""
    conda: str = ""
    conda_reads: bool = False
    project: bool = False
    ignore: str = ""


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in an image. Pairs are sorted by their first part."""

    base: str
    requirements: Requirements = field(default_factory=Requirements)
    packages: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    post_build: tuple[str, ...] = ()
    build_args: tuple[tuple[str, str], ...] = ()
    platform: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    directory: Directory | None = None

    @property
    def dockerfile(self) -> str:
        return self.directory.dockerfile if self.directory else ""

    def suits(self, platform: str) -> bool:
        """Whether a system and processor are those that are asked for, if any are."""
        return not self.platform or "/".join(self.platform.split("/")[:2]) == platform

    def declaration(self) -> dict[str, Any]:
        """The recipe as a person would write it, without secrets: kept as a label, shown in a diff."""
        needs, directory = self.requirements, self.directory
        said = {
            "base": self.base,
            "requirements": [masked(line) for line in needs.lines],
            "constraints": [masked(line) for line in needs.constraints],
            "hashes": {name: _short(digests) for name, digests in needs.hashes},
            "index_url": masked(needs.index_url),
            "extra_index_urls": [masked(url) for url in needs.extra_index_urls],
            "prerelease": needs.prerelease,
            "no_binary": list(needs.no_binary),
            "only_binary": list(needs.only_binary),
            "packages": list(self.packages),
            "files": {file.dest: f"{file.mode} {file.digest[:12]}" for file in self.files},
            "environment": {name: masked(value) for name, value in self.environment},
            "post_build": [masked(script) for script in self.post_build],
            "build_args": {name: masked(value) for name, value in self.build_args},
            "platform": self.platform,
            "labels": dict(self.labels),
            "directory": f"{directory.dockerfile or 'contents'} {directory.digest[:12]}" if directory else "",
        }
        return {name: value for name, value in said.items() if value}

    def digest(self, bases: Sequence[Mapping[str, Any]]) -> str:
        """The name of the recipe's outcome: hexadecimal, the same for the same recipe on the same bases, which are
        given as an engine's `inspect` tells of them."""
        files = [(file.dest, file.mode, file.digest) for file in self.files]
        directory = self.directory.digest if self.directory else ""
        grounds = [[(base.get("RootFS") or {}).get("Layers") or [], settings(base.get("Config"))] for base in bases]
        whole = [GENERATOR, grounds, self.declaration(), files, directory]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Wanted:
    """What a task asks of an image. ``refresh``: age in seconds from which newer packages are looked for, or None."""

    repository: str
    tag: str
    state: str
    recipe: Recipe
    path: str = ""
    refresh: int | None = None
    keep: int = 3
    archive: str = ""
    log: str = ""
    ca_bundle: str = ""
    proxy: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The name that people use."""
        return self.repository if "@" in self.repository else f"{self.repository}:{self.tag or 'latest'}"


def _short(digests: Sequence[str]) -> str:
    """One digest for many: a label goes to the builder as an argument, which has 128 KiB at most."""
    return digests[0] if len(digests) == 1 else hashlib.sha256(repr(sorted(digests)).encode()).hexdigest()[:12]


def parse(params: Mapping[str, Any]) -> Wanted:
    """The options of the module as what is wanted; raises InvalidInput."""
    match = REFERENCE.fullmatch(params["name"])
    if not match or (match[3] and params["state"] not in ("pulled", "absent")):
        raise InvalidInput("name", params["name"], "is no name for an image, such as myjupyter or team/lab:2024.")
    if params["keep"] < 0:
        raise InvalidInput("keep", params["keep"], "is how many older images stay: 0 or more.")
    return Wanted(
        repository=familiar(match[1]) + (match[3] or ""),
        tag=match[2] or "",
        state=params["state"],
        recipe=_recipe(params),
        path=params["path"] or "",
        refresh=_age(params["refresh"]),
        keep=params["keep"],
        archive=params["archive"] or "",
        log=params["log"] or "",
        ca_bundle=params["ca_bundle"] or "",
        proxy=_proxy(params["proxy"]),
    )


def full_name(said: str) -> str:
    """The name of an image with its tag; raises InvalidInput."""
    match = REFERENCE.fullmatch(said)
    if not match or match[3]:
        raise InvalidInput("name", said, "is no name for an image, such as myjupyter or team/lab:2024.")
    return f"{familiar(match[1])}:{match[2] or 'latest'}"


def familiar(name: str) -> str:
    """A repository, or a name in it, as engines list it, whoever names Docker Hub in full."""
    short = re.sub(r"^(?:index\.)?docker\.io/", "", name)
    return re.sub(r"^library/(?=[^/]+$)", "", short)


def in_full(name: str) -> str:
    """The same as containerd has it: with the registry, and Docker Hub's own folder."""
    first, slash, _rest = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def with_directory(recipe: Recipe, directory: Directory) -> Recipe:
    """A recipe and what its directory says. A Dockerfile says all itself, so nothing may be said beside it."""
    said = dict(recipe.__dict__)
    if directory.dockerfile:
        needs = replace(recipe.requirements, index_url="", extra_index_urls=())  # for which it may ask, as a secret
        beside = {option: said[option] for option in ("packages", "files", "environment", "post_build")}
        for option, value in {"requirements": needs, **beside}.items():
            if value not in ((), Requirements()):
                wanted = f"holds a {directory.dockerfile}, which says all itself: leave out {option}."
                raise InvalidInput("path", directory.path, wanted)
    said.update(
        directory=directory,
        requirements=recipe.requirements + directory.requirements,
        packages=tuple(sorted({*recipe.packages, *directory.packages})),
    )
    return Recipe(**said)


def _recipe(params: Mapping[str, Any]) -> Recipe:
    if not REFERENCE.fullmatch(params["base"]):
        raise InvalidInput("base", params["base"], "is no name of an image, such as quay.io/jupyter/base-notebook.")
    return Recipe(
        base=params["base"],
        requirements=_needs(params),
        packages=tuple(sorted(_each("packages", params["packages"], PACKAGE, "is no name of a system package."))),
        files=tuple(sorted((_file(number, said) for number, said in enumerate(params["files"], 1)), key=_dest)),
        environment=_pairs("environment", params["environment"], VARIABLE, "is no name of a variable."),
        post_build=tuple(params["post_build"]),
        build_args=_pairs("build_args", params["build_args"], VARIABLE, "is no name of a build argument."),
        platform=_platform(params["platform"]),
        labels=_pairs("labels", params["labels"], LABEL_KEY, "is no name of a label."),
    )


def _needs(params: Mapping[str, Any]) -> Requirements:
    index_url, extra_index_urls = (params["index_url"] or "").strip(), params["extra_index_urls"]
    for option, urls in {"index_url": [index_url], "extra_index_urls": extra_index_urls}.items():
        for url in urls:
            if url and not INDEX.fullmatch(url):
                raise InvalidInput(option, url, "is no index that a build can reach, such as https://pypi.org/simple.")
    own = Requirements(
        index_url=index_url,
        extra_index_urls=tuple(extra_index_urls),
    )
    constraints = _requirements.parse(_text("constraints", params["constraints"]), "constraints")
    needs = _requirements.parse(_text("requirements", params["requirements"]), "requirements")
    return own + _requirements.as_constraints(constraints) + needs


def _text(option: str, said: Any) -> str:
    """Text or a list of lines, as text."""
    if said is None or isinstance(said, str):
        return said or ""
    if not isinstance(said, list) or not all(isinstance(line, str) for line in said):
        raise InvalidInput(option, said, "is neither text nor a list of requirements.")
    return "\n".join(said)


def _file(number: int, said: Mapping[str, Any]) -> File:
    option, dest = f"files[{number}]", said["dest"]
    if not dest.startswith("/") or dest.endswith("/") or ".." in dest.split("/") or "\n" in dest:
        raise InvalidInput(f"{option}.dest", dest, "is no absolute path of a file.")
    if (said["src"] is None) == (said["content"] is None):
        raise InvalidInput(option, dest, "needs one of src and content.")
    if not isinstance(said["mode"], str):
        wanted = "is a number, which YAML made of it: write '0644', with quotes."
        raise InvalidInput(f"{option}.mode", said["mode"], wanted)
    if not MODE.fullmatch(said["mode"]):
        raise InvalidInput(f"{option}.mode", said["mode"], "is no mode in octal, such as '0644'.")
    content = said["content"] or ""
    digest = "" if said["src"] else hashlib.sha256(content.encode()).hexdigest()
    return File(dest, said["mode"].zfill(4), said["src"] or "", content, digest)


def _dest(file: File) -> str:
    return file.dest


def _each(option: str, said: Sequence[str], pattern: re.Pattern[str], wanted: str) -> set[str]:
    for value in said:
        if not pattern.fullmatch(value):
            raise InvalidInput(option, value, wanted)
    return set(said)


def _pairs(option: str, said: Mapping[str, Any], pattern: re.Pattern[str], wanted: str) -> tuple[tuple[str, str], ...]:
    named = {_scalar(name): value for name, value in said.items()}
    _each(option, list(named), pattern, wanted)
    for name, value in named.items():
        if value is None or isinstance(value, (list, dict)):
            raise InvalidInput(f"{option}.{name}", value, "is neither text nor a number: write '' for an empty value.")
    pairs = tuple(sorted((name, _scalar(value)) for name, value in named.items()))
    for name, value in pairs:
        if option != "labels" and ("\n" in value or "\0" in value):
            raise InvalidInput(f"{option}.{name}", value, "has a line break, which no variable of an image may have.")
        if option == "labels" and name.startswith(LABEL):
            raise InvalidInput(option, name, f"begins with {LABEL}, which this collection keeps for itself.")
    return pairs


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _platform(said: str | None) -> str:
    if said and not PLATFORM.fullmatch(said):
        raise InvalidInput("platform", said, "is no platform, such as linux/arm64.")
    return said or ""


def _age(said: str) -> int | None:
    if said in ("never", "always"):
        return None if said == "never" else 0
    match = AGE.fullmatch(said)
    if not match:
        raise InvalidInput("refresh", said, "is neither never, always nor an age such as 7d or 12h.")
    return int(match[1]) * SECONDS[match[2]]


def _proxy(said: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    pairs = []
    for name, value in sorted((said or {}).items()):
        if not value:
            continue
        if name != "no_proxy" and not re.match(r"(https?|socks5h?)://\S+$", value):
            raise InvalidInput(f"proxy.{name}", value, "is no address, such as http://proxy:3128.")
        pairs.append((name, value))
    return tuple(pairs)
