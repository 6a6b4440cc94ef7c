# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs as the lines of a table for a terminal."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_table
short_description: Labs as the lines of a table
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description: Turns what M(myjupyter.fleet.labs_info) tells into lines to read in a terminal, trouble first.
options:
  _input:
    description: RV(myjupyter.fleet.labs_info#module:labs).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Look at all labs
  myjupyter.fleet.labs_info:
  register: fleet

- name: Show them
  ansible.builtin.debug:
    msg: "{{ fleet.labs | myjupyter.fleet.lab_table }}"
"""

RETURN = r"""
_value:
  description: The lines, a heading first.
  type: list
  elements: str
"""

HEADING = ("LAB", "STATE", "KERNELS", "MEMORY", "JUPYTERLAB", "DRIFT", "ADDRESS")


def lab_table(labs):
    """A heading and a line a lab, in columns; labs that are not healthy come first."""
    rows = [HEADING, *(_row(lab) for lab in sorted(labs, key=lambda lab: (lab["healthy"], lab["name"])))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADING))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _row(lab):
    executing = sum(kernel["state"] == "busy" for kernel in lab["kernels"])
    kernels = f"{len(lab['kernels'])} ({executing} busy)" if executing else str(len(lab["kernels"]))
    state = "healthy" if lab["healthy"] else lab["reason"].partition(":")[0]
    drift = ", ".join(sorted(lab["drift"])) or "-"
    return (lab["name"], state, kernels, _memory(lab["memory"]), lab["jupyterlab_version"] or "-", drift, lab["url"])


def _memory(memory):
    if not memory or memory["used"] is None:
        return "-"
    used = f"{memory['used'] / 1024**2:.0f} MB"
    return f"{used} of {memory['allowed'] / 1024**2:.0f}" if memory["allowed"] else used


class FilterModule:
    def filters(self):
        return {"lab_table": lab_table}
