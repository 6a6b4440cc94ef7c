# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a roster may be called: its name is part of paths on hosts."""

from __future__ import annotations

from .._errors import InvalidInput
from ..lab._declared import NAME


def checked(option: str, name: str) -> str:
    """The name of a roster. Raises InvalidInput."""
    if not NAME.fullmatch(name):
        raise InvalidInput(
            option, name, "should be letters, digits, '_', '.' or '-', 2 to 63, the first a letter or a digit."
        )
    return name
