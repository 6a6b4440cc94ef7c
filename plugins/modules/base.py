#!/usr/bin/python
# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the base image of a host's labs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: base
short_description: Bring the base image of JupyterLabs to a host
version_added: 0.1.0
description:
  - Makes sure that an image under the contract of the Jupyter Docker Stacks is on the host, under one name,
    however it can be had - pulled from a registry, loaded from an archive, or built from the packages of the
    host's own APT mirrors and from PyPI.
  - A built image is known again by a digest of what it was made from, and is built anew only when that changes.
  - The role P(myjupyter.fleet.jupyter_base#role) hands this module the files that a build is made of.
author:
  - The myjupyter.fleet maintainers (@myjupyter)
options:
  name:
    description: Name of the image on this host.
    type: str
    default: myjupyter-base:latest
  source:
    description:
      - Where the base comes from.
      - V(auto) keeps an image that is there, unless this module built it from other inputs. Where there is none
        it asks the registry, then takes O(archive) if one is given, then builds.
    type: str
    choices: [auto, registry, archive, build]
    default: auto
  registry_image:
    description:
      - Image to pull. With O(jupyterlab_version) its tag becomes C(lab-VERSION), as the Docker Stacks name them.
    type: str
    default: quay.io/jupyter/base-notebook:latest
  archive:
    description:
      - A tar on this host that C(docker save) wrote. Where it holds several images, the one of O(name) is meant. No
        other name on the host is given to another image.
    type: path
  release:
    description:
      - Release of Debian or Ubuntu to build on, of the same distribution as the host. Empty for the host's own.
      - It decides the version of Python - 3.10 in V(jammy), 3.11 in V(bookworm), 3.12 in V(noble), 3.13 in V(trixie),
        3.14 in V(resolute).
    type: str
    default: ''
  jupyterlab_version:
    description:
      - JupyterLab's version, such as V(4.6.1), or V(4.6) for the newest 4.6. Empty for the newest.
      - The Docker Stacks have tags of full versions only, so from a registry it has to be one.
    type: str
    default: ''
  packages:
    description: Further packages of the distribution for a built base.
    type: list
    elements: str
    default: []
  context:
    description: The files that a base is built from, C(Dockerfile) among them; names with contents.
    type: dict
    default: {}
  log:
    description:
      - File on the host to which the progress is written, line by line.
      - Without it, the lines are shown by Ansible while the base is brought.
    type: path
  refresh:
    description: Bring the base anew though it is there - what the registry has now, or with today's packages.
    type: bool
    default: false
extends_documentation_fragment:
  - myjupyter.fleet.engine
  - myjupyter.fleet.attributes
seealso:
  - module: myjupyter.fleet.image
requirements:
  - mmdebstrap, where a base is built
"""

EXAMPLES = r"""
- name: Have a base from wherever one can be had
  ansible.builtin.import_role:
    name: myjupyter.fleet.jupyter_base

- name: Have the base that was carried here
  myjupyter.fleet.base:
    source: archive
    archive: /srv/images/base-notebook.tar
"""

RETURN = r"""
source:
  description: Where the base came from in this run, or would; V(present) where nothing was to be done.
  type: str
  returned: success
  sample: build
reason:
  description: Why from there.
  type: str
  returned: success
  sample: 'The engine would not find quay.io/jupyter/base-notebook:latest: no such host'
image:
  description: The image's name.
  type: str
  returned: success
  sample: myjupyter-base:latest
id:
  description: The image's id; empty where there is none yet.
  type: str
  returned: success
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.base import _base, _bring

OPTIONS = {
    "name": {"type": "str", "default": "myjupyter-base:latest"},
    "source": {"type": "str", "choices": ["auto", "registry", "archive", "build"], "default": "auto"},
    "registry_image": {"type": "str", "default": "quay.io/jupyter/base-notebook:latest"},
    "archive": {"type": "path"},
    "release": {"type": "str", "default": ""},
    "jupyterlab_version": {"type": "str", "default": ""},
    "packages": {"type": "list", "elements": "str", "default": []},
    "context": {"type": "dict", "default": {}},
    "refresh": {"type": "bool", "default": False},
    "log": {"type": "path"},
}


def main() -> None:
    _module.run(OPTIONS, _base.parse, _bring.act, without_engine=_bring.without_engine)


if __name__ == "__main__":
    main()
