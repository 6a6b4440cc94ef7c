# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a function of this collection on a host, without Ansible: the files that it may need come along with the order.

To look is then done before a module would have been unpacked. Standard library only.
"""

# pylint: disable=ansible-bad-function  # this is a program on a host, not a module: it prints

from __future__ import annotations

import importlib
import json
import sys
import zlib
from importlib.machinery import ModuleSpec


class Sources:
    """Finds and loads modules whose sources came along; what is above them is a package without a file."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, _path=None, _target=None):
        package = any(known.startswith(f"{name}.") for known in self.sources)
        return ModuleSpec(name, self, is_package=package) if package or name in self.sources else None

    def create_module(self, spec):
        return None

    def exec_module(self, loading):
        name = loading.__name__
        exec(compile(self.sources.get(name, ""), f"<{name}>", "exec"), loading.__dict__)


def packed(sources):
    """Sources by their modules' names, as they come along."""
    return zlib.compress(json.dumps(sources).encode(), 6)


def main(order):
    """Print what the function returns; null where it raises anything: the module runs then, and says what is wrong."""
    sys.meta_path.insert(0, Sources(json.loads(zlib.decompress(sys.stdin.buffer.read()))))
    try:
        place, function = order["call"]
        told = getattr(importlib.import_module(place), function)(*order["arguments"])
    except Exception:
        told = None
    print(json.dumps(told))
