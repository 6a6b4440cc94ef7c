# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labs of a host as they are declared: each with what all of them share."""

from __future__ import annotations

from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: labs_declared
short_description: Labs with the options that all of them share
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Gives each lab of a list what it does not say itself, and what wins over what it says.
options:
  _input:
    description: The labs, each with the options of M(myjupyter.fleet.labs). Nothing is an empty list.
    type: list
    elements: dict
    required: true
  defaults:
    description: Options that a lab has unless it says otherwise.
    type: dict
    default: {}
  overrides:
    description: Options that win over every lab's own.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show a lab with its defaults
  ansible.builtin.debug:
    msg: "{{ [{'name': 'ana'}] | myjupyter.fleet.labs_declared(defaults={'memory': '4g'}) }}"
"""

RETURN = r"""
_value:
  description: The labs with all of their options.
  type: list
  elements: dict
"""


def labs_declared(labs, defaults=None, overrides=None):
    """Raises AnsibleFilterError for what is no list of labs."""
    for name, value in {"jupyter_labs_defaults": defaults, "jupyter_labs_overrides": overrides}.items():
        if not isinstance(value or {}, Mapping):
            raise AnsibleFilterError(f"{name}: {value!r} should be options of labs, such as memory: 4g.")
    if isinstance(labs or [], (str, Mapping)) or not hasattr(labs or [], "__iter__"):
        raise AnsibleFilterError(f"jupyter_labs: {labs!r} should be a list of labs, such as [{{name: ana}}].")
    for lab in labs or []:
        if not isinstance(lab, Mapping):
            raise AnsibleFilterError(
                f"jupyter_labs: {lab!r} should be a lab with its options, such as {{name: {lab or 'ana'}}}."
            )
    return [{**(defaults or {}), **lab, **(overrides or {})} for lab in labs or []]


class FilterModule:
    def filters(self):
        return {"labs_declared": labs_declared}
