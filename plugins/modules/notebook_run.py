# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: run a notebook in a throw-away container of an image."""

from __future__ import annotations

DOCUMENTATION = r"""
module: notebook_run
short_description: Run a notebook once in an image, to see that the image is good
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Starts a container of an image, with the image's own entrypoint, and has a kernel run the cells of a notebook in it.
    The task fails with the error of the first cell that does.
  - The container has no network, no mounts and no privileges. It ends by itself in time and nothing of it is left,
    also where this task is killed.
  - The image needs C(nbclient), which Jupyter Server brings, so each of the Jupyter Docker Stacks with a server has it.
extends_documentation_fragment:
  - myjupyter.fleet.engine
attributes:
  check_mode:
    support: full
    description: Reads the notebook and runs nothing, for the image may be yet to come.
  diff_mode:
    support: N/A
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
options:
  image:
    description:
      - Image to run it in.
      - One with a registry or a namespace in its name is pulled where it is missing; another has to be on the host.
    type: str
    required: true
  notebook:
    description:
      - The notebook itself, the text of an C(.ipynb) file.
      - It finds in the environment variable C(MYJUPYTER_IMAGE), as JSON, the C(requirements) that the image was built
        for by M(myjupyter.fleet.image), and the version of C(jupyterlab) in it.
    type: json
    required: true
  name:
    description: What it is called in messages.
    type: str
    default: notebook
  timeout:
    description: Seconds that all its cells have together.
    type: int
    default: 300
  memory:
    description: Most memory that it may use, such as V(4g); V(0) for no limit.
    type: str
    default: 2g
  network:
    description: Whether it may use the engine's default network.
    type: bool
    default: false
  env:
    description: Environment variables.
    type: dict
    default: {}
seealso:
  - module: myjupyter.fleet.image
"""

EXAMPLES = r"""
- name: See that the image is good before any lab gets it
  myjupyter.fleet.notebook_run:
    image: myjupyter
    notebook: "{{ lookup('ansible.builtin.file', 'check.ipynb') }}"
    name: check.ipynb
    timeout: 120
"""

RETURN = r"""
ran:
  description: Whether it was run; it is not in check mode.
  returned: success
  type: bool
cells:
  description: How many cells of code it has.
  returned: success
  type: int
output:
  description: What the cells printed, the end of it.
  returned: when it was run
  type: str
seconds:
  description: How long it took, with the container's start.
  returned: success
  type: float
cell:
  description: Number of the cell of code that failed, from 1.
  returned: failure in a cell
  type: int
source:
  description: The code of that cell.
  returned: failure in a cell
  type: str
traceback:
  description: Where in the code it failed.
  returned: failure in a cell
  type: list
  elements: str
log:
  description: Last lines that the container said, where no kernel came to run anything.
  returned: failure outside of a cell
  type: list
  elements: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _notebook

OPTIONS = {
    "image": {"type": "str", "required": True},
    "notebook": {"type": "json", "required": True},
    "name": {"type": "str", "default": "notebook"},
    "timeout": {"type": "int", "default": 300},
    "memory": {"type": "str", "default": "2g"},
    "network": {"type": "bool", "default": False},
    "env": {"type": "dict", "default": {}},
}


def act(engine, wanted, check):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _notebook_run

    return _notebook_run.act(engine, wanted, check)


def without_engine(_wanted):
    return {"changed": False, "ran": False, "cells": 0, "output": "", "seconds": 0.0}


def main() -> None:
    _module.run(OPTIONS, _notebook.parse, act, without_engine=without_engine)


if __name__ == "__main__":
    main()
