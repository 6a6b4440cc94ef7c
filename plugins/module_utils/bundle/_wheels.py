# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible for a controller that reaches no index: which wheels, for which Pythons."""

from __future__ import annotations

import re

# The Pythons of releases for which there is an ansible-core that this collection runs with.
PYTHONS = {"bookworm": (3, 11), "noble": (3, 12), "trixie": (3, 13), "resolute": (3, 14)}
OLDEST = (3, 11)
# The newest C library that a wheel may ask for is that of bookworm.
NEWEST_LIBC = 36
MARKER = re.compile(r'python_version (<|>=) "(\d+)\.(\d+)"')


def pythons(releases: tuple[str, ...], own: tuple[int, int]) -> list[tuple[int, int]]:
    """The Pythons that a controller may have: those of the releases, and the one at hand."""
    found = {own, *(PYTHONS[release] for release in releases if release in PYTHONS)}
    return sorted(python for python in found if python >= OLDEST)


def pins(requirements: str, python: tuple[int, int]) -> list[str]:
    """The lines of a requirements file that hold for ``python``. pip itself looks at the Python that it runs on."""
    lines = (line.partition("#")[0].strip() for line in requirements.splitlines())
    found = []
    for line, _semicolon, marker in (line.partition(";") for line in lines if line):
        match = MARKER.fullmatch(marker.strip())
        bound = (int(match[2]), int(match[3])) if match else python
        if not match or (python < bound if match[1] == "<" else python >= bound):
            found.append(line.strip())
    return found


def stamp(requirements: str, wanted: list[tuple[int, int]]) -> str:
    """A requirements file that also says for which Pythons wheels are beside it."""
    return f"# Wheels are here for Python {', '.join(map(text, wanted))}.\n{requirements}"


def text(python: tuple[int, int]) -> str:
    return ".".join(map(str, python))


def platforms(machine: str) -> list[str]:
    """What pip calls a Linux on which the wheels have to run, newest first."""
    newer = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_LIBC, 4, -1)]
    return [*newer, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]
