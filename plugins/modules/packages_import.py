#!/usr/bin/python
# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: packages for a host that reaches no mirror."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages_import
short_description: Bring packages to a host that reaches no mirror
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Brings the packages that this host lacks for an installation from a directory on the controller, over Ansible's own
    connection, and tells by which configuration APT finds them.
  - Nothing is installed, and the host's own sources, indexes and caches are not touched. Remove RV(folder) afterwards.
  - What was brought whole before a run was interrupted is not brought again.
extends_documentation_fragment:
  - myjupyter.fleet.attributes
options:
  names:
    description: What is to be installed, as APT takes it.
    type: list
    elements: str
    required: true
  src:
    description: Directory on the controller with packages and their index, such as C(packages/bookworm) of a bundle.
    type: path
    required: true
  index:
    description: Text of the index. It is read from O(src).
    type: str
    default: ""
  folder:
    description: Directory on the host for the packages. It is chosen.
    type: path
seealso:
  - module: myjupyter.fleet.bundle
"""

EXAMPLES = r"""
- name: Bring what an engine takes
  myjupyter.fleet.packages_import:
    names: [docker.io, python3-docker]
    src: /srv/bundle/packages/bookworm
  register: brought

- name: Install it
  ansible.builtin.apt:
    name: [docker.io, python3-docker]
  environment:
    APT_CONFIG: "{{ brought.config }}"
"""

RETURN = r"""
lacking:
  description: Files that an installation takes and that were brought, or would be.
  returned: always
  type: list
  elements: str
config:
  description: Configuration for APT, in which the directory of these packages is the only source; for E(APT_CONFIG).
  returned: always
  type: str
folder:
  description: Directory on the host with all of it.
  returned: always
  type: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.bundle import _local

OPTIONS = {
    "names": {"type": "list", "elements": "str", "required": True},
    "src": {"type": "path", "required": True},
    "index": {"type": "str", "default": ""},
    "folder": {"type": "path"},
}


def parse(params):
    """What is to be brought."""
    return _local.Expected(tuple(params["names"]), params["index"], params["src"], params["folder"] or "")


def main() -> None:
    _module.run_on_host(OPTIONS, parse, _local.act)


if __name__ == "__main__":
    main()
