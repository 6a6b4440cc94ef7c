# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order the hosts of a roll-out get a change."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _rollout

DOCUMENTATION = r"""
name: rollout_plan
short_description: In which order the hosts of a roll-out get a change
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Puts the canary first, and says how many hosts go at a time.
options:
  _input:
    description: The labs of each host that can be moved, by its name.
    type: dict
    required: true
  everybody:
    description: All hosts of the run, also those that were lost on the way.
    type: list
    elements: str
    required: true
  canary:
    description: The host, or the hosts, to go first. By default the first that has labs.
    type: raw
    default: []
  waves:
    description: How many hosts go at a time after it, each a number or a share such as V(10%), as for C(serial).
    type: raw
    default: [10%, 30%, 100%]
  limit:
    description: The share of a wave that may fail, in percent.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Put two hosts in order
  ansible.builtin.debug:
    msg: "{{ {'gpu1': [], 'gpu2': ['ana']} | myjupyter.fleet.rollout_plan(everybody=['gpu1', 'gpu2']) }}"
"""

RETURN = r"""
_value:
  description: C(order) of the hosts, C(canary), C(serial), C(limit), and C(everybody).
  type: dict
"""


def rollout_plan(labs, everybody, canary=(), waves=_rollout.DEFAULT_WAVES, limit=0):
    """Raises AnsibleFilterError for what cannot be meant."""
    try:
        return _rollout.plan(labs, everybody, canary, waves, limit)
    except _rollout.WrongRollout as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self):
        return {"rollout_plan": rollout_plan}
