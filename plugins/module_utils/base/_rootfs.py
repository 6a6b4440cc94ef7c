# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A root filesystem from this host's own APT mirrors, made by mmdebstrap and imported as an image."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, cast

from .._engine import Engine, patient, translated
from .._errors import BuildError
from ..dockerd import _packages
from . import _base

OS_RELEASE = Path("/etc/os-release")
INDEXES = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)|$(ORIGIN)"
# Syncing each file is for nothing in an image, and manuals and translations are in a lab; licences stay.
DPKG = (
    "force-unsafe-io",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)
# Whether old indexes are taken, as those of a mirror of a day in the past: with the mirror it is in the image too.
DATES = ("Acquire::Check-Valid-Until", "Acquire::Check-Date")


def host() -> _packages.Release:
    """The release that this host runs."""
    return _packages.release(OS_RELEASE.read_text(encoding="utf-8"))


def make(engine: Engine, wanted: _base.Base, release: str, show: Callable[[str], None]) -> str:
    """The id of a new image: the packages of ``wanted`` on a minimal ``release``.

    Raises BuildError: mmdebstrap is missing, this host's mirrors are unknown or do not have what is asked for.
    """
    if not shutil.which("mmdebstrap"):
        raise BuildError("mmdebstrap is not installed on this host, and a base is built with it: install that package.")
    listing = _output("apt-get", "indextargets", "--format", INDEXES)
    mirrors = _base.sources(_base.targets(listing), host().codename, release)
    show(f"Making a root filesystem of {release}: {', '.join(mirrors)}")
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(wanted.packages)}"]
    command += [f"--dpkgopt={option}" for option in DPKG]
    command += [f'--aptopt={name} "{value}"' for name, value in _apt_says(*DATES).items()]
    label = f"LABEL {_base.LABEL}={_base.rootfs_digest(wanted, release)}"
    image, trouble = _import(engine, [*command, release, "-", *mirrors], [label], show)
    if not image:
        reason = _reason("".join(trouble))
        raise BuildError(f"mmdebstrap could not make {release} from {', '.join(mirrors)}: {reason}")
    return image


def _import(
    engine: Engine, command: list[str], changes: list[str], show: Callable[[str], None]
) -> tuple[str, list[str]]:
    """The id of an image from the tar that ``command`` writes, empty if it failed, and what it said on the way.

    It has a session of its own: mmdebstrap that cannot write on ends its whole process group.
    """
    said: list[str] = []
    with subprocess.Popen(  # pylint: disable=ansible-bad-function  # no AnsibleModule comes down here
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(), start_new_session=True
    ) as process:
        listener = threading.Thread(target=_listen, args=(cast(IO[bytes], process.stderr), said, show), daemon=True)
        listener.start()
        blocks = iter(partial(cast(IO[bytes], process.stdout).read, 1 << 20), b"")
        with translated("import the root filesystem"), patient(engine) as api:
            answer = api.import_image_from_stream(blocks, changes=changes)
        listener.join()
    image = json.loads(answer.splitlines()[-1])["status"]
    if process.returncode == 0:
        return image, said
    with translated("remove what was half made"):
        engine.api.remove_image(image)
    return "", said


def _listen(stream: IO[bytes], said: list[str], show: Callable[[str], None]) -> None:
    """Keep what mmdebstrap says, and show its steps."""
    for raw in stream:
        line = raw.decode("utf-8", "replace")
        said.append(line)
        if line.startswith("I: "):
            show(f"  {line[3:].strip()}")


def _environment() -> dict[str, str]:
    """mmdebstrap does not read the host's APT configuration, so its proxies go in by the environment.

    It unpacks below TMPDIR: /tmp is often memory, and too small.
    """
    proxies = {f"{kind}_proxy": f"Acquire::{kind}::Proxy" for kind in ("http", "https")}
    said = _apt_says(*proxies.values())
    proxies = {variable: said[option] for variable, option in proxies.items() if option in said}
    return {**os.environ, **proxies, "TMPDIR": "/var/tmp"}


def _apt_says(*options: str) -> dict[str, str]:
    """Those of APT's options that this host's configuration sets."""
    words = [word for number, option in enumerate(options) for word in (f"option_{number}", option)]
    lines = _output("apt-config", "shell", *words).splitlines()
    said = dict(line.removeprefix("option_").split("=", 1) for line in lines)
    return {options[int(number)]: shlex.split(value)[0] for number, value in said.items()}


def _output(*command: str) -> str:
    try:
        return subprocess.run(  # pylint: disable=ansible-bad-function  # no AnsibleModule comes down here
            command, check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"This host's APT could not be asked for its mirrors: {error}") from error


def _reason(log: str) -> str:
    """What APT or mmdebstrap named as errors, in one line."""
    errors = [line.split(":", 1)[1].strip() for line in log.splitlines() if line.startswith(("E:", "Err:"))]
    return " ".join(dict.fromkeys(errors)) or log[-500:]
