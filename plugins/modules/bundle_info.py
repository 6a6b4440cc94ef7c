#!/usr/bin/python
# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: see that a bundle is whole."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_info
short_description: See that a bundle is whole, and what it holds
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Reads every file of a bundle and compares its checksum. Fails with the name of the first file that is missing or
    damaged. Changes nothing.
extends_documentation_fragment:
  - myjupyter.fleet.attributes.info
options:
  path:
    description: The directory that the playbook C(bundle) made.
    type: path
    required: true
seealso:
  - module: myjupyter.fleet.bundle
"""

EXAMPLES = r"""
- name: See that the bundle came over whole
  myjupyter.fleet.bundle_info:
    path: /srv/bundle
  delegate_to: localhost
  register: bundle
"""

RETURN = r"""
manifest:
  description: What the bundle holds.
  returned: success
  type: dict
  contains:
    format: {description: Number of the form that the bundle has., type: int}
    machine: {description: Kind of processor that it is for., type: str, sample: x86_64}
    releases: {description: Releases that packages are there for., type: list, elements: str}
    collection: {description: Version of the collection., type: str}
    images: {description: "The images by what they are made from, each with its name and hosts.", type: dict}
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.bundle import _folder

OPTIONS = {"path": {"type": "path", "required": True}}


def act(path, check):
    """The module's result; a check is the same."""
    return {"changed": False, "manifest": _folder.whole(path)}


def main() -> None:
    _module.run_on_host(OPTIONS, lambda params: params["path"], act)


if __name__ == "__main__":
    main()
