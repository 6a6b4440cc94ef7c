# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of image_export. The action plugin of that name does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_export
short_description: Give layers of an image out, for hosts that lack them
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Takes those layers of an image that other hosts lack out of this host's engine, each read and compressed once,
    and brings them to the controller, from where M(myjupyter.fleet.image_import) brings them to the hosts.
  - The engine pushes them to a registry that runs beside it meanwhile, on an address of the loopback. Where the
    engine cannot, because it is a user's own or does not run on this host, the whole image is given out instead,
    with a warning.
extends_documentation_fragment:
  - myjupyter.fleet.engine
  - myjupyter.fleet.attributes
options:
  name:
    description: Name of the image, without a tag for the tag V(latest).
    type: str
    required: true
  layers:
    description: Layers that are lacking somewhere. Without any, nothing is done, unless O(configuration) is lacking.
    type: list
    elements: str
    default: []
  configuration:
    description: Whether a host lacks the image itself, be it only its configuration and none of its layers.
    type: bool
    default: false
  dest:
    description: Directory on the controller for the compressed layers. What is there already is not brought again.
    type: path
    required: true
  all:
    description: Whether all layers of the image are meant, for hosts that are not known yet; O(layers) is ignored then.
    type: bool
    default: false
  clear:
    description: Whether files are removed from O(dest) that no layer of this image needs.
    type: bool
    default: true
  whole:
    description: Give the whole image out in one file, as C(docker save) does, and do not try to take it apart.
    type: bool
    default: false
seealso:
  - module: myjupyter.fleet.image_import
"""

EXAMPLES = r"""
- name: Take out what the others lack
  myjupyter.fleet.image_export:
    name: myjupyter
    layers: "{{ lacking }}"
    dest: /var/tmp/layers
  delegate_to: builder
  register: packed
"""

RETURN = r"""
packed:
  description: The options C(name), C(image) and C(parcel) of M(myjupyter.fleet.image_import), for hosts yet to come.
  returned: always
  type: dict
parcel:
  description: What M(myjupyter.fleet.image_import) has to know.
  returned: always
  type: dict
files:
  description: The files that were brought to the controller, by digest.
  returned: always
  type: dict
"""
