# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a roll-out has come to after a wave."""

from __future__ import annotations

from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _rollout

DOCUMENTATION = r"""
name: rollout_report
short_description: What a roll-out has come to after a wave, and whether it stops
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Tells in plain lines which hosts were moved, which failed and why, which were not begun, and what to do next.
options:
  _input:
    description: What M(myjupyter.fleet.labs) told on each host that was begun, with C(failed) where a task failed.
    type: dict
    required: true
  plan:
    description: What P(myjupyter.fleet.rollout_plan#filter) gave.
    type: dict
    required: true
  wave:
    description: The hosts of the wave that has just ended.
    type: list
    elements: str
    required: true
  to:
    description: Where the labs are brought, V(declared) or V(previous).
    type: str
    default: declared
  check:
    description: Whether nothing was really done.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say how far it is
  ansible.builtin.debug:
    msg: "{{ (came | myjupyter.fleet.rollout_report(plan=plan, wave=ansible_play_batch)).lines }}"
"""

RETURN = r"""
_value:
  description: C(stop), C(failed) hosts of the wave, C(reasons) by host, and C(lines).
  type: dict
"""


def rollout_report(came, plan, wave, to="declared", check=False):
    return _rollout.report(plan, came, wave, to, check)


class FilterModule:
    def filters(self):
        return {"rollout_report": rollout_report}
