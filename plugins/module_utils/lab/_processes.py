# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in a lab, told from its processes as `ps -ef` lists them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

# The end of a chain of processes in which no kernel has been started.
SERVER = re.compile(
    r"^(?:\S*/)?tini\s|/(?:start\.sh|start-(?:notebook|singleuser)\.(?:sh|py))(?:\s|$)"
    r"|/bin/jupyter(?:-(?:lab|notebook|server|nbclassic))?(?:\s|$)"
)
# What a kernel of any language is started with: the file that tells where to reach it. A server's has its id in it.
KERNEL = re.compile(r"/(?:kernel-[\w-]+|tmp[a-z0-9_]{8})\.json(?=\s|$)|\bipykernel(?:_launcher)?(?:\s|$)")


def are_server_alone(processes: Collection[Mapping[str, str]] | None) -> bool:
    """Whether there is nothing but a Jupyter Server, or what starts it: neither kernels nor terminals."""
    if processes is None:
        return False
    parents = {row.get("PPID") for row in processes}
    last = [row.get("CMD", "") for row in processes if row.get("PID") not in parents]
    return len(last) <= 1 and all(SERVER.search(command) for command in last)


def have_other_kernels(processes: Iterable[Mapping[str, str]] | None, known: Collection[str]) -> bool:
    """Whether there are kernels beside those of the server, whose ids are ``known``, as far as anybody can tell."""
    kernels = (row["CMD"] for row in processes or () if KERNEL.search(row.get("CMD", "")))
    return any(not any(kernel_id in command for kernel_id in known) for command in kernels)
