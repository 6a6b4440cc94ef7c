# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, each said in one sentence that ends with what the user can do."""

from __future__ import annotations

import re
from typing import Any


def masked(text: str) -> str:
    """``text`` without the user and password of any address in it; a password may hold an @ of its own."""
    return re.sub(r"://[^/\s]*@", "://***@", text)


class FleetError(Exception):
    """A failure that the user can act on, told without the password of any address.

    ``details`` (dict) goes into the task's result beside the message, e.g. the last lines of a log.
    """

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(masked(message))
        self.details: dict[str, Any] = details


class InvalidInput(FleetError):
    """An option holds a value that cannot be meant; raised before anything on the host is touched."""

    def __init__(self, option: str, value: object, wanted: str) -> None:
        super().__init__(f"{option}: {value!r} {wanted}")
        self.option = option


class EngineError(FleetError):
    """The engine is absent, out of reach, too old, or refused what it was asked."""


class EngineAbsent(EngineError):
    """There is no engine, or no SDK to speak to one: what a bare host looks like."""


class BuildError(FleetError):
    """An image could not be resolved, built, pulled or loaded."""


class LabError(FleetError):
    """A lab could not be brought to the wanted state."""
