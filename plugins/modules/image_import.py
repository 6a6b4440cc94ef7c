# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of image_import. The action plugin of that name does the work, on the controller."""

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
    description: RV(lacking), as a run of this module in check mode told. Without it, the engine is asked once more.
    type: list
    elements: str
  files:
    description: RV(files), as the same run told.
    type: dict
  src:
    description: Directory on the controller that M(myjupyter.fleet.image_export) filled. Needed unless in check mode.
    type: path
  reference:
    description: Name in a registry to pull the image from, in place of O(parcel).
    type: str
  username:
    description: User of that registry. It is told to the engine for this one request, and kept nowhere.
    type: str
  password:
    description: Password of that user.
    type: str
  registry:
    description: The registry of O(reference), for which O(ca) is.
    type: str
  ca:
    description:
      - Certificate (PEM text) of the registry's CA, for C(/etc/docker/certs.d), where the engine looks for it. It is
        put there when something is pulled.
    type: str
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
    files: "{{ here.files }}"
    parcel: "{{ hostvars['builder'].packed.parcel }}"
    src: /var/tmp/layers
"""

RETURN = r"""
lacking:
  description: Layers that the engine lacks.
  returned: always
  type: list
  elements: str
files:
  description:
    - The files of layers that the engine has, where it keeps images with containerd. Only what a run of this module
      brought there is known.
  returned: where something is lacking
  type: dict
steps:
  description: What was done, or would be, in order.
  returned: always
  type: list
  elements: str
"""
