# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of a run cannot get one image from one builder."""

from __future__ import annotations

from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _bundled

DOCUMENTATION = r"""
name: image_mixture
short_description: Which hosts of a run cannot get one image from one builder
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Where one host builds for the others, all have to say the same of how the image comes to them and of what is in it.
    The role P(myjupyter.fleet.jupyter_image#role) refuses others by this sentence.
options:
  _input:
    description: Names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, which is C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: See whether one image serves all
  ansible.builtin.debug:
    msg: "{{ groups['all'] | myjupyter.fleet.image_mixture(hostvars) }}"
"""

RETURN = r"""
_value:
  description: A sentence that names two hosts and the variables in which they differ; empty where one image serves all.
  type: str
"""


class FilterModule:
    def filters(self) -> dict[str, object]:
        return {"image_mixture": _bundled.mixture}
