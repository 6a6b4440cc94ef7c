# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin roster_plan, which runs on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: roster_plan
short_description: Plan which person's lab is on which host
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Makes the plan of a roster out of what M(myjupyter.fleet.roster_info) told on all hosts. Runs on the controller, and
    changes nothing.
  - Who has a lab stays where it is. Who is new goes to the host of the person's group of whose memory, or GPUs, the
    smallest share is taken then. Where that leaves somebody out, the new ones are packed as tightly as it goes.
  - A host that told nothing keeps its people.
  - Fails with a sentence for each person who does not fit, before anything is touched.
extends_documentation_fragment:
  - myjupyter.fleet.attributes.info
options:
  roster:
    description: Name of the roster, of letters, digits, C(_), C(.) and C(-).
    type: str
    required: true
  people:
    description: The people, as the lookup P(myjupyter.fleet.roster#lookup) gives them.
    type: list
    elements: dict
    required: true
  said:
    description: The registered result of M(myjupyter.fleet.roster_info), by the host's name, of those that answered.
    type: dict
    required: true
  hosts:
    description: Hosts that may take labs, also those that did not answer.
    type: list
    elements: str
    required: true
  placement:
    description:
      - File of the controller with the RV(placement) of an earlier run. A relative path is below the current directory.
    type: path
  today:
    description: The day to compare C(until) with, as in V(2026-12-31). By default the controller's today.
    type: str
    default: ""
  forget_hosts:
    description: Hosts that are given up. Their people get new, empty labs elsewhere.
    type: list
    elements: str
    default: []
  many_may_leave:
    description: Whether more than half of the labs may go at once because their people are no longer in the roster.
    type: bool
    default: false
seealso:
  - module: myjupyter.fleet.roster_info
  - plugin: myjupyter.fleet.roster
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Plan
  myjupyter.fleet.roster_plan:
    roster: class
    people: "{{ lookup('myjupyter.fleet.roster', 'class.csv').people }}"
    said: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'said'))) }}"
    hosts: "{{ groups['labs'] }}"
    placement: class-placement.json
  run_once: true
  register: plan
"""

RETURN = r"""
hosts:
  description:
    - For each host that told something C(labs), as M(myjupyter.fleet.labs) takes them, C(leave), those that go, and the
      names whose work is to be archived (C(archive)) and to be brought back (C(restore)).
  returned: success
  type: dict
people:
  description: Everybody with C(person), C(lab), C(host) and C(until). The host is empty where none could be chosen yet.
  returned: success
  type: list
  elements: dict
placement:
  description: What is to be remembered of it, on the controller and on each host.
  returned: success
  type: dict
"""
