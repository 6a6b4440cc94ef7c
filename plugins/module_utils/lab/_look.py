# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host's labs are as they are declared: found by looking, with neither the SDK nor Ansible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _engine
from . import _labs, _options


def settled(params: Mapping[str, Any], check: bool) -> dict[str, Any] | None:
    """The result of the module `labs` where there is nothing to do and nothing to warn of, else None.

    Raises what the module would say as its failure.
    """
    engine = _engine.connect(_engine.find(params))
    return _labs.settled(engine, *_options.parse(params), check)
