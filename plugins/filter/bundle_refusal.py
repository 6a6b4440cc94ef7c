# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a bundle does not serve a host."""

from __future__ import annotations

from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _bundled

DOCUMENTATION = r"""
name: bundle_refusal
short_description: Why a bundle does not serve a host
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Compares what a bundle holds with the processor and the release of a host, and with the image that its variables
    declare.
options:
  _input:
    description: RV(myjupyter.fleet.bundle_info#module:manifest).
    type: dict
    required: true
  host:
    description: Name of the host.
    type: str
    required: true
  hostvars:
    description: The variables of all hosts, which is C(hostvars).
    type: dict
    required: true
  facts:
    description: Facts of the host, with C(ansible_architecture) and C(ansible_distribution_release).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse a bundle for other hosts
  ansible.builtin.assert:
    that: bundle.manifest | myjupyter.fleet.bundle_refusal(inventory_hostname, hostvars, facts) | length == 0
"""

RETURN = r"""
_value:
  description: One sentence; empty where the bundle serves the host.
  type: str
"""


class FilterModule:
    def filters(self) -> dict[str, object]:
        return {"bundle_refusal": _bundled.refusal}
