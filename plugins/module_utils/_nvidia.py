# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's GPUs: asked of its bus, of NVIDIA's driver, and of nvidia-smi."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import _gpu

BUS = "sys/bus/pci/devices"
DRIVER = "proc/driver/nvidia/gpus"
HOOK = "nvidia-container-runtime-hook"  # what an engine looks for, by this name, when it starts
CDI_HOOK = "nvidia-cdi-hook"  # what engines of late make do with
SMI = "nvidia-smi"
PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/wsl/lib"
SECONDS = 60  # without its persistence mode the driver wakes each GPU first
ASKED = "uuid,utilization.gpu,memory.used,memory.total"


def look(root: str = "/") -> _gpu.Hardware:
    """All that there is to know of GPUs here; ``root`` is where /sys and /proc are looked for."""
    return _gpu.Hardware(cards=_cards(root), devices=devices(root), hook=_which(HOOK))


def devices(root: str = "/") -> tuple[_gpu.Device, ...]:
    """What nvidia-smi lists, or else the driver; nothing where there is no driver."""
    return _gpu.listed(_said("-L")) or _gpu.described(_read(path) for path in _below(root, DRIVER, "information"))


def has_toolkit() -> bool:
    """Whether NVIDIA's container toolkit is on this host."""
    return bool(_which(HOOK) or _which(CDI_HOOK))


def usage() -> dict[str, _gpu.Usage]:
    """How busy each GPU is, by UUID; nothing where nvidia-smi does not tell."""
    return _gpu.measured(_said(f"--query-gpu={ASKED}", "--format=csv,noheader,nounits"))


def _cards(root: str) -> tuple[str, ...]:
    return tuple(
        path.parent.name
        for path in _below(root, BUS, "vendor")
        if _gpu.is_card(_read(path), _read(path.with_name("class")), _bound_to(path.with_name("driver")))
    )


def _bound_to(link: Path) -> str:
    with contextlib.suppress(OSError):
        return os.path.basename(os.readlink(link))
    return ""


def _below(root: str, folder: str, name: str) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from (path / name for path in sorted(Path(root, folder).iterdir()))


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")
    return ""


def _said(*arguments: str) -> str:
    """What nvidia-smi prints; nothing where it is not there or does not answer."""
    command = _which(SMI)
    if not command:
        return ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # no AnsibleModule comes down here
            [command, *arguments],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,  # a GPU that is lost makes it end with an error, after it has listed the others
        )
        return done.stdout.decode(errors="replace")
    return ""


def _which(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{PLACES}") or ""
