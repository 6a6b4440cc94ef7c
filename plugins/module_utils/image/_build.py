# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build commands of an engine: which one can do it, and running it.

The SDK has no BuildKit, and without BuildKit there are neither cache mounts nor secrets: hence the command line.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .._engine import Address, Engine
from .._errors import BuildError
from ._progress import Progress

USUAL_PLACES = ("/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/snap/bin", "/opt/homebrew/bin")
# From this release on, the command needs its buildx plugin to build with BuildKit.
NEEDS_PLUGIN = 23


@dataclass(frozen=True)
class Command:
    """A command that builds with BuildKit, without the build's own arguments."""

    program: str
    words: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """One build. ``secrets`` maps ids to files; ``output`` takes the target's files in place of an image."""

    context: str
    dockerfile: str
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    output: str = ""
    platform: str = ""
    fresh: bool = False


def find(environ: Mapping[str, str] | None = None) -> Command | None:
    """The first command on PATH, then in the usual places, that can build with BuildKit; None where none can."""
    path = (os.environ if environ is None else environ).get("PATH", "")
    folders = dict.fromkeys([*path.split(os.pathsep), *USUAL_PLACES])
    programs = [os.path.join(folder, "docker") for folder in folders if folder]
    for program in programs:
        if not os.access(program, os.X_OK):
            continue
        if _says(program, "buildx", "version"):
            # The builder `default` is the engine itself, which has the images that are built on.
            return Command(program, ("buildx", "build", "--builder", "default", "--load"))
        version = re.match(r"Docker version (\d+)", _says(program, "--version"))
        if version and int(version[1]) < NEEDS_PLUGIN:
            return Command(program, ("build",), {"DOCKER_BUILDKIT": "1"})
    return None


def run(engine: Engine, command: Command, order: Order, show: Callable[[str], None]) -> None:
    """Build, showing lines for people as they come. Raises BuildError with the failed step and its last words."""
    progress = Progress(order.titles)
    words = [command.program, *_address(engine.address), *command.words, "--progress=plain", *_arguments(order)]
    if order.output and "--load" in words:
        words.remove("--load")
    # The address is given outright, so nothing of the user's own may name another engine.
    environ = {name: value for name, value in os.environ.items() if name not in ("DOCKER_HOST", "DOCKER_CONTEXT")}
    environ.update(command.environ, BUILDX_NO_DEFAULT_ATTESTATIONS="1")
    tail: list[str] = []
    with _started(words, environ) as process:
        for line in process.stdout or ():
            for shown in progress.feed(line):
                show(shown)
                tail = [*tail[-39:], shown]
    if process.returncode:
        raise BuildError(f"The image could not be built. {_reason(progress.failure())}", output=tail)


def _started(words: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(  # pylint: disable=ansible-bad-function  # no AnsibleModule comes down here
            words, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise BuildError(
            f"The image could not be built. {words[0]} cannot be run ({error.strerror}): is a text of the recipe, such "
            "as post_build, longer than 128 KiB? Make it a file (files) and call that."
        ) from error


def _arguments(order: Order) -> list[str]:
    pairs = {
        "--tag": order.tags,
        "--label": [f"{name}={value}" for name, value in order.labels.items()],
        "--build-arg": [f"{name}={value}" for name, value in order.build_args.items()],
        "--secret": [f"id={name},src={path}" for name, path in order.secrets.items()],
        "--target": [order.target] if order.target else [],
        "--platform": [order.platform] if order.platform else [],
        "--output": [f"type=local,dest={order.output}"] if order.output else [],
    }
    words = [word for option, values in pairs.items() for value in values for word in (option, value)]
    return [*words, *(["--no-cache"] if order.fresh else []), "--file", order.dockerfile, order.context]


def _address(address: Address) -> list[str]:
    words = ["--host", address.url]
    if address.tls:
        words += ["--tlsverify" if address.validate_certs else "--tls"]
        named = {"--tlscacert": address.ca_path, "--tlscert": address.client_cert, "--tlskey": address.client_key}
        words += [f"{option}={path}" for option, path in named.items() if path]
    return words


def _reason(text: str) -> str:
    if "no space left" in text.lower():
        return f"{text}. Free some room where the engine keeps its data: `docker system df` shows what takes it."
    return text


def _says(*words: str) -> str:
    """What a command prints; empty where it fails."""
    done = subprocess.run(  # pylint: disable=ansible-bad-function  # no AnsibleModule comes down here
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else ""
