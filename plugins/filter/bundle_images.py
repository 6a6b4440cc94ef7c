# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that hosts are to have, each once."""

from __future__ import annotations

from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _bundled

DOCUMENTATION = r"""
name: bundle_images
short_description: The images that hosts are to have, each once
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Hosts whose variables of the roles P(myjupyter.fleet.jupyter_base#role) and P(myjupyter.fleet.jupyter_image#role)
    say the same have the same image. Variables that do not decide what is in it, such as the index, are left out.
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
- name: Show which hosts share an image
  ansible.builtin.debug:
    msg: "{{ groups['all'] | myjupyter.fleet.bundle_images(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The C(name) of each image, its C(hosts), and digests of what is C(declared), by a digest of all that.
  type: dict
"""


class FilterModule:
    def filters(self) -> dict[str, object]:
        return {"bundle_images": _bundled.images}
