# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recipe as a Dockerfile: one to find out what it needs, one to make the image. Both share their first steps.

Never a `# syntax=` line: it would pull an image. Nothing secret is in the text: what a build may know and an
image must not comes by mounts.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import partial

from ._lock import Base, Layers
from ._recipe import REFERENCE, Recipe

TOOLS = "/run/myjupyter"
ANSWER = "lock.json"
# A folder of its own: a builder reads all of the one that it copies a file from.
ANSWERED = f"{TOOLS}-answer/{ANSWER}"
INSIDE = f"{TOOLS}/inside.py"
SECRETS = (
    "--mount=type=secret,id=ca,mode=0444",
    "--mount=type=secret,id=build_env,mode=0444",
    f"--mount=type=bind,source=tools,target={TOOLS}",
)
CACHE_FOLDER = "/var/cache/myjupyter"
CACHE = f"--mount=type=cache,id=myjupyter,target={CACHE_FOLDER}"
# Sourced by every step: the host's certificates, index and proxies, for this step alone.
ENVIRONMENT = """\
if [ -s /run/secrets/ca ]; then
    for name in SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO NODE_EXTRA_CA_CERTS \\
        CONDA_SSL_VERIFY; do
        export "$name=/run/secrets/ca"
    done
fi
if [ -s /run/secrets/build_env ]; then . /run/secrets/build_env; fi
"""
APT = (
    "export DEBIAN_FRONTEND=noninteractive; "
    'set -- ${SSL_CERT_FILE:+-o "Acquire::https::CAInfo=$SSL_CERT_FILE"}; '
    'apt-get "$@" -qq update; '
    'apt-get "$@" -y -q --no-install-recommends install %s; '
    "rm -rf /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old"
)

PROJECT = "-m pip install --no-cache-dir ."  # as repo2docker does for a project
BIND = r"--mount=type=bind,(?:rw,)?source=(\S+?),target=(\S+)"
# The two instructions of a Dockerfile that decide what it is built on: ARG NAME=VALUE ..., and FROM IMAGE AS STAGE.
INSTRUCTION = re.compile(
    r"^[ \t]*(?:ARG[ \t]+(.+)|FROM[ \t]+(?:--\S+[ \t]+)*(\S+)(?:[ \t]+AS[ \t]+(\S+))?[ \t]*\r?)$", re.I | re.M
)
# $NAME, ${NAME}, ${NAME:-if it is empty}, ${NAME:+if it is not}
VALUE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})")


def resolving(recipe: Recipe, base: str, base_key: str) -> str:
    """The Dockerfile whose target `lock` holds nothing but /lock.json."""
    step = (
        'python="$(command -v python || command -v python3)" || { '
        'echo "error: the base has no Python, into which packages are installed: take one that has"; exit 1; }; '
        f'exec "$python" -IB {INSIDE} resolve {TOOLS}-request.json {ANSWERED}'
    )
    return _text(
        *_system(recipe, base, base_key),
        "FROM system AS resolved",
        _run(step, CACHE, _bind("request.json")),
        "FROM scratch AS lock",
        f"COPY --from=resolved {ANSWERED} /",
    )


def building(recipe: Recipe, base: str, base_key: str, found: Base, layers: Layers, config: Mapping) -> str:
    """The Dockerfile of the image. ``config`` is the base's configuration, as the engine tells it."""
    lines = [*_system(recipe, base, base_key), "FROM system"]
    for number, _layer in enumerate(layers, 1):
        step = f"{shlex.quote(found.executable)} -IB {INSIDE} install {TOOLS}-layer-{number}"
        lines.append(_run(step, CACHE, _bind(f"layer-{number}")))
    lines += [f"COPY {_chown(found, file.dest)} {json.dumps([f'files/{number}', file.dest])}"
              for number, file in enumerate(recipe.files)]  # fmt: skip
    if recipe.directory:
        lines.append(f"COPY {_chown(found, found.home)} {json.dumps(['directory/', found.home + '/'])}")
        lines += _surroundings(found)
    lines += [f"ENV {name}={_quoted(value)}" for name, value in recipe.environment]
    lines += [f"ARG {name}" for name, _value in recipe.build_args]
    lines.append(f"USER {config.get('User') or 'root'}")
    at_home = partial(_in_folder, found.home, config)
    if recipe.directory and recipe.directory.project:
        lines += at_home(_run(f"{shlex.quote(found.executable)} {PROJECT}"))
    lines += [_hook(number) for number, _script in enumerate(recipe.post_build)]
    if recipe.directory and recipe.directory.post_build:
        lines += at_home(_run(f"exec ./{shlex.quote(recipe.directory.post_build)}"))
    if recipe.directory and recipe.directory.start:
        start = posixpath.join(found.home, recipe.directory.start)
        lines.append(f"ENTRYPOINT {json.dumps([*(config.get('Entrypoint') or []), start])}")
        lines += [f"CMD {json.dumps(config['Cmd'])}"] if config.get("Cmd") else []
    return _text(*lines)


def _surroundings(found: Base) -> list[str]:
    """What repo2docker tells the commands of a directory of where they are."""
    prefix = posixpath.dirname(posixpath.dirname(found.executable))
    values = {"REPO_DIR": found.home, "NB_PYTHON_PREFIX": prefix, "KERNEL_PYTHON_PREFIX": prefix}
    return [
        *(f"ENV {name}={_quoted(value)}" for name, value in values.items()),
        f'ENV PATH="{found.home}/.local/bin:$PATH"',
    ]


def _in_folder(folder: str, config: Mapping, step: str) -> list[str]:
    return [f"WORKDIR {folder}", step, f"WORKDIR {config.get('WorkingDir') or '/'}"]


def _system(recipe: Recipe, base: str, base_key: str) -> list[str]:
    """The stage `system`: the base, and what is installed into it by its own package managers."""
    lines = [f"FROM {base} AS system", "USER root"]
    if recipe.packages:
        packages = " ".join(shlex.quote(package) for package in recipe.packages)
        caches = [
            f"--mount=type=cache,id=myjupyter-{base_key}{path.replace('/', '-')},target={path},sharing=locked"
            for path in ("/var/cache/apt", "/var/lib/apt/lists")
        ]
        lines.append(_run(APT % packages, *caches))
    if recipe.directory and recipe.directory.conda:
        reads = recipe.directory.conda_reads
        place = f"{TOOLS}-directory/{recipe.directory.conda}" if reads else f"{TOOLS}-conda.yml"
        step = (
            'conda="$(command -v mamba || command -v conda)" || { '
            'echo "error: environment.yml needs conda or mamba, which the base does not have: '
            'write requirements.txt, or take a base that has one"; exit 1; }; '
            'prefix="$(dirname "$(dirname "$conda")")"; '
            f'CONDA_PKGS_DIRS={CACHE_FOLDER}/conda "$conda" env update -q -p "$prefix" -f {shlex.quote(place)}'
        )
        # pip works in the environment's folder, where it may write.
        lines.append(_run(step, CACHE, _bind("directory", "rw,") if reads else _bind("conda.yml")))
    return lines


def _hook(number: int) -> str:
    return _run(f"exec {TOOLS}-hook-{number}", _bind(f"hook-{number}"))


def _run(step: str, *mounts: str) -> str:
    return f"RUN {' '.join((*SECRETS, *mounts))} set -e; . {TOOLS}/environment.sh; {step}"


def _bind(name: str, how: str = "") -> str:
    return f"--mount=type=bind,{how}source={name},target={TOOLS}-{name}"


def _chown(found: Base, dest: str) -> str:
    """Files in the user's home are the user's; all else is root's."""
    home = found.home.rstrip("/")
    mine = home and (dest + "/").startswith(home + "/")
    return f"--chown={found.user[0]}:{found.user[1]}" if mine else "--chown=0:0"


def _quoted(value: str) -> str:
    for special in ("\\", '"', "$"):
        value = value.replace(special, "\\" + special)
    return f'"{value}"'


def _text(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def commands(scripts: Sequence[str]) -> list[str]:
    """Commands as files to execute, with a shell that stops at the first error where they name none."""
    return [script if script.startswith("#!") else f"#!/bin/sh -e\n{script}\n" for script in scripts]


def script(text: str) -> str:
    """A directory's own script as a file to execute. One that names no shell goes on after an error, as by
    repo2docker."""
    return text if text.startswith("#!") else f"#!/bin/sh\n{text}\n"


def ignored(text: str, folder: str, kept: Sequence[str]) -> str:
    """A directory's .dockerignore for a context in which it is the folder ``folder``; ``kept`` is never left out."""
    lines = []
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            mark = "!" if line.startswith("!") else ""
            lines.append(f"{mark}{folder}/{line[len(mark) :].strip().lstrip('/')}")
    return _text(*lines, *(f"!{folder}/{name}" for name in kept))


def without_mounts(text: str) -> str:
    """One of our Dockerfiles for a builder without mounts: what would be mounted from the context is copied."""
    lines = []
    for line in text.splitlines():
        lines += [f"COPY {source} {target}" for source, target in re.findall(BIND, line)]
        emptied = f"; rm -rf {CACHE_FOLDER}" if CACHE in line else ""
        lines.append(re.sub(r"--mount=\S+ ", "", line) + emptied)
    return _text(*lines)


def declared(text: str, values: Mapping[str, str]) -> dict[str, str]:
    """Those of some build arguments that a Dockerfile declares."""
    said = " ".join(match[1] for match in INSTRUCTION.finditer(text) if match[1])
    names = {word.partition("=")[0] for word in said.split()}
    return {name: value for name, value in values.items() if name in names}


def bases(text: str, build_args: Mapping[str, str]) -> list[str]:
    """The images that a Dockerfile is built on, as far as they can be told before it is built."""
    values, stages, found = dict(build_args), set(), []
    for match in INSTRUCTION.finditer(text):
        if match[1]:
            for name, value in re.findall(r"(\w+)=(\"[^\"]*\"|'[^']*'|\S*)", match[1]):
                values.setdefault(name, value.strip("'\""))
            continue
        name = VALUE.sub(lambda variable: _value(variable, values), match[2])
        if name.lower() not in stages and name != "scratch" and REFERENCE.fullmatch(name):
            found.append(name)
        stages.add((match[3] or "").lower())
    return found


def _value(variable: re.Match[str], values: Mapping[str, str]) -> str:
    value = values.get(variable[1] or variable[2], "")
    if variable[3] == "+":
        return variable[4] if value else ""
    return value or variable[4] or ""
