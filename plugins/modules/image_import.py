# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: have an image that another host's engine gave out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_import
short_description: Have the very image that another host has
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Brings the layers that this host's engine lacks over Ansible's own connection, and loads the image from them.
  - What was brought whole before a run was interrupted is not brought again. A file that is not whole is never loaded,
    and afterwards the host has the same layers as the other one, or the task has failed.
  - In check mode it tells which layers are lacking.
extends_documentation_fragment:
  - myjupyter.fleet.engine
  - myjupyter.fleet.attributes
options:
  name:
    description: Name of the image, without a tag for the tag V(latest).
    type: str
    required: true
  image:
    description: RV(myjupyter.fleet.image#module:image) of the host that has it.
    type: dict
    required: true
  parcel:
    description: RV(myjupyter.fleet.image_export#module:parcel). Needed unless in check mode.
    type: dict
    default: {}
  lacking:
    description:
      - RV(lacking), as a run of this module in check mode told. Their files are brought to the host.
      - By default this is asked first, which needs O(parcel).
    type: list
    elements: str
  src:
    description: Directory on the controller that M(myjupyter.fleet.image_export) filled. Needed unless in check mode.
    type: path
  folder:
    description: Directory on the host for the layers on their way. It is chosen, and removed when they are loaded.
    type: path
  keep:
    description: How many older images of that name stay, beside those that a container needs.
    type: int
    default: 3
seealso:
  - module: myjupyter.fleet.image_export
"""

EXAMPLES = r"""
- name: See what is lacking
  myjupyter.fleet.image_import:
    name: myjupyter
    image: "{{ hostvars['builder'].built.image }}"
  check_mode: true
  register: here

- name: Have the builder's image
  myjupyter.fleet.image_import:
    name: myjupyter
    image: "{{ hostvars['builder'].built.image }}"
    lacking: "{{ here.lacking }}"
    parcel: "{{ hostvars['builder'].packed.parcel }}"
    src: /var/tmp/layers

- name: Have an image that was packed before
  myjupyter.fleet.image_import:
    name: "{{ said.packed.name }}"
    image: "{{ said.packed.image }}"
    parcel: "{{ said.packed.parcel }}"
    src: /var/tmp/layers
"""

RETURN = r"""
lacking:
  description: Layers that the engine lacks.
  returned: always
  type: list
  elements: str
steps:
  description: What was done, or would be, in order.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _delivery, _layers, _recipe

OPTIONS = {
    "name": {"type": "str", "required": True},
    "image": {"type": "dict", "required": True},
    "parcel": {"type": "dict", "default": {}},
    "lacking": {"type": "list", "elements": "str"},
    "src": {"type": "path"},
    "folder": {"type": "path"},
    "keep": {"type": "int", "default": 3},
}


def parse(params):
    """What is to be taken in."""
    if params["keep"] < 0:
        raise InvalidInput("keep", params["keep"], "is how many older images stay: 0 or more.")
    parcel = _layers.parcel(params["parcel"]) if params["parcel"] else None
    name = _recipe.full_name(params["name"])
    return _delivery.Expected(name, params["image"], parcel, params["folder"] or "", params["keep"])


def without_engine(wanted):
    """What a check says of a host that has no engine yet."""
    return {"changed": True, "steps": [f"bring {wanted.name}"], "lacking": wanted.image.get("layers") or []}


def main() -> None:
    _module.run(OPTIONS, parse, _delivery.take, without_engine=without_engine)


if __name__ == "__main__":
    main()
