# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: have a registry hold an image of a host's engine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_push
short_description: Have a registry hold an image
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Pushes an image to a registry, unless that has this very image already. There it has two names, one with the tag
    of O(name), which moves, and one with the first digits of its id, which does not (RV(reference)).
  - Only layers that the registry lacks are sent. On the host, names stay those of the images that they were.
extends_documentation_fragment:
  - myjupyter.fleet.engine
  - myjupyter.fleet.attributes
options:
  name:
    description: Name of the image, without a tag for the tag V(latest).
    type: str
    required: true
  registry:
    description: The registry, as C(HOST) or C(HOST:PORT), with a path where images are kept below one.
    type: str
    required: true
  username:
    description: User of the registry. It is told to the engine with each request, and kept nowhere.
    type: str
  password:
    description: Password of that user.
    type: str
  ca:
    description:
      - Certificate (PEM text) of the registry's CA, for C(/etc/docker/certs.d), where the engine looks for it.
    type: str
seealso:
  - module: myjupyter.fleet.image_import
"""

EXAMPLES = r"""
- name: Have the registry hold the image
  myjupyter.fleet.image_push:
    name: myjupyter
    registry: registry.example.edu:5000
    username: fleet
    password: "{{ vault_registry_password }}"
"""

RETURN = r"""
reference:
  description: The name by which the registry has this image, never another. Empty in a check before it is built.
  returned: always
  type: str
  sample: registry.example.edu:5000/myjupyter:84079c2ddb12
steps:
  description: What was done, or would be, in order.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _push

OPTIONS = {
    "name": {"type": "str", "required": True},
    "registry": {"type": "str", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca": {"type": "str"},
}


def without_engine(wanted):
    """What a check says of a host that has no engine yet."""
    return {"changed": True, "steps": [f"push {wanted.name}"], "reference": ""}


def main() -> None:
    _module.run(OPTIONS, _push.parse, _push.act, without_engine=without_engine)


if __name__ == "__main__":
    main()
