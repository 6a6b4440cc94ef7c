# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: what there is to know of a host's images."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Tell about the images of a host's JupyterLabs
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Tells what images were built from, what is in them and which containers are made of them. Changes nothing.
extends_documentation_fragment:
  - myjupyter.fleet.engine
  - myjupyter.fleet.attributes.info
options:
  names:
    description:
      - Names of images, each with a tag, or without one for all its tags.
      - By default all images that M(myjupyter.fleet.image) has built.
    type: list
    elements: str
    default: []
seealso:
  - module: myjupyter.fleet.image
"""

EXAMPLES = r"""
- name: Look at all images that were built here
  myjupyter.fleet.image_info:
  register: built

- name: Name those that no lab uses
  ansible.builtin.debug:
    msg: "{{ built.images | selectattr('containers', 'equalto', []) | map(attribute='tags') }}"
"""

RETURN = r"""
images:
  description: The images, first what was named last.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name without a tag., type: str}
    id: {description: Id in the engine., type: str}
    tags: {description: All names., type: list, elements: str}
    digests: {description: Digests that a registry has for it., type: list, elements: str}
    created: {description: When it was made (ISO 8601)., type: str}
    size: {description: Bytes., type: int}
    layers: {description: Digests of its layers., type: list, elements: str}
    base: {description: What it was built on., type: str}
    base_changed: {description: Whether the host has another image by the name of the base now., type: bool}
    recipe: {description: Digest of its recipe., type: str}
    declaration: {description: Its recipe., type: dict}
    python: {description: Version of Python., type: str}
    jupyterlab: {description: Version of JupyterLab., type: str}
    packages: {description: Versions of all Python packages by name., type: dict}
    containers: {description: "Containers made of it, running or not.", type: list, elements: str}
    current: {description: Whether it has the tag C(latest)., type: bool}
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _image_info

OPTIONS = {"names": {"type": "list", "elements": "str", "default": []}}


def main() -> None:
    _module.run(OPTIONS, _image_info.parse, _image_info.act, without_engine=_image_info.without_engine)


if __name__ == "__main__":
    main()
