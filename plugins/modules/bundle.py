#!/usr/bin/python
# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: put together what a closed site needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle
short_description: Put together what a closed site needs
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Completes a directory that the playbook C(bundle) has put images into. Adds the packages of an engine and its SDK
    with all that they depend on, Ansible for the controller as wheels, this collection, a README.md, a MANIFEST.json
    and the checksums of all.
  - Packages come from this machine's own APT mirrors, wheels from the index that pip is set up for. Neither its
    installed packages nor its sources are touched, and root is not needed.
  - Run again it fetches what is lacking or has become newer, and removes what is no longer part of it.
extends_documentation_fragment:
  - myjupyter.fleet.attributes
options:
  path:
    description: The directory. It is made if need be.
    type: path
    required: true
  releases:
    description:
      - Releases of Debian (V(bookworm), V(trixie)) or Ubuntu (V(jammy), V(noble), V(resolute)) that hosts run. They
        must be of the same distribution as this machine.
      - Without any there are no packages, for hosts that have an engine.
    type: list
    elements: str
    default: []
  images:
    description: What the filter P(myjupyter.fleet.bundle_images#filter) told of the hosts.
    type: dict
    required: true
  engine_version:
    description: Version of the engine to take, in full or its first parts; empty for any.
    type: str
    default: ""
  packages:
    description: Further packages for the hosts.
    type: list
    elements: str
    default: []
  recommends:
    description: Whether packages come that others recommend, as APT installs them by default.
    type: bool
    default: true
  collection:
    description: Directory of this collection, a checkout or installed.
    type: path
    required: true
  requirements:
    description: Text of a requirements file with all that the controller needs.
    type: str
    default: |
      ansible-core>=2.19
      jmespath
seealso:
  - module: myjupyter.fleet.bundle_info
  - module: myjupyter.fleet.image_export
"""

EXAMPLES = r"""
- name: Complete a bundle for hosts with Debian 12 and 13
  myjupyter.fleet.bundle:
    path: /srv/bundle
    releases: [bookworm, trixie]
    images: "{{ groups['all'] | myjupyter.fleet.bundle_images(hostvars) }}"
    collection: "{{ playbook_dir }}/.."
"""

RETURN = r"""
steps:
  description: What was done, or would be, in order.
  returned: always
  type: list
  elements: str
manifest:
  description: What the bundle holds.
  returned: always
  type: dict
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.bundle import _bundle, _pack

OPTIONS = {
    "path": {"type": "path", "required": True},
    "releases": {"type": "list", "elements": "str", "default": []},
    "images": {"type": "dict", "required": True},
    "engine_version": {"type": "str", "default": ""},
    "packages": {"type": "list", "elements": "str", "default": []},
    "recommends": {"type": "bool", "default": True},
    "collection": {"type": "path", "required": True},
    "requirements": {"type": "str", "default": "ansible-core>=2.19\njmespath\n"},
}


def main() -> None:
    _module.run_on_host(OPTIONS, _bundle.parse, _pack.act)


if __name__ == "__main__":
    main()
