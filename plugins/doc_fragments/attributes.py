# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that change something promise."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Finds out and says all that would be done, and changes nothing.
  diff_mode:
    support: full
    description: Shows what differs, before and after.
  idempotent:
    support: full
    description: A second run with the same options changes nothing.
options: {}
"""

    INFO = r"""
attributes:
  check_mode:
    support: full
    description: Only reads, so it does the same in check mode.
  diff_mode:
    support: N/A
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
options: {}
"""
