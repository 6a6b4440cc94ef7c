# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: what there is to know of a host's JupyterLabs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: labs_info
short_description: Tell all about the JupyterLabs of a host
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Reads from the engine, from the host and from each lab's Jupyter Server, side by side. Changes nothing.
  - Asking a server does not reset its idle clock.
extends_documentation_fragment:
  - myjupyter.fleet.engine
  - myjupyter.fleet.attributes.info
options:
  names:
    description: Names of the labs to tell about. All by default.
    type: list
    elements: str
    default: []
  state_dir:
    description:
      - Directory of the tokens, as in M(myjupyter.fleet.labs).
      - By default C(/var/lib/myjupyter) for root, C(~/.local/share/myjupyter) for another user.
    type: path
  hostname:
    description: Name by which people reach this host, for RV(labs[].url). By default the host's own name.
    type: str
    default: ""
  show_tokens:
    description: Give RV(labs[].url) with the token, ready to be opened.
    type: bool
    default: false
  sizes:
    description: Measure the work directories, which takes its time with very many files.
    type: bool
    default: true
seealso:
  - module: myjupyter.fleet.labs
"""

EXAMPLES = r"""
- name: Look at all labs
  myjupyter.fleet.labs_info:
  register: fleet

- name: Name those that are in trouble
  ansible.builtin.debug:
    msg: "{{ fleet.labs | rejectattr('healthy') | map(attribute='name') }}"
"""

RETURN = r"""
labs:
  description: The labs of this collection that have a container on the host, by name.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name of the lab., type: str}
    state:
      description:
        - The container's, C(running), C(exited), C(created), C(paused) or C(restarting).
        - C(missing) where the lab was declared, is not ephemeral, and has no container.
      type: str
    declared_state: {description: "Whether it was last declared to be C(started) or C(stopped).", type: str}
    since: {description: When it was last started (ISO 8601)., type: str}
    url: {description: Address to open., type: str}
    bind_address: {description: Address of the host that it listens on., type: str}
    port: {description: Port on the host., type: int}
    image: {description: Name of its image., type: str}
    image_digest: {description: "What its image is, whatever its name: layers and configuration.", type: str}
    jupyterlab_version: {description: Version of JupyterLab., type: str}
    python_version: {description: Version of Python., type: str}
    healthy: {description: Whether its server answers and its health check does not fail., type: bool}
    reason: {description: Why it is not healthy., type: str}
    busy: {description: "Whether a kernel is executing, or nobody can tell.", type: bool}
    kernels:
      description: Its kernels.
      type: list
      elements: dict
      contains:
        id: {description: Id of the kernel., type: str}
        name: {description: Name of the kernel's specification., type: str}
        state: {description: "C(busy), C(idle) or C(starting).", type: str}
        last_activity: {description: When it last did something (ISO 8601)., type: str}
        connections: {description: How many clients are connected., type: int}
        notebook: {description: Path of its notebook in the work directory., type: str}
    terminals: {description: How many terminals are open., type: int}
    memory:
      description: Bytes C(used), null where the engine cannot tell, and C(allowed), 0 for no limit.
      type: dict
    cpu:
      description: Processors C(used), null where the engine cannot tell, and C(allowed), 0 for no limit.
      type: dict
    work_dir: {description: "C(path), C(owner) and C(size) in bytes of the work directory.", type: dict}
    gpus:
      description: The GPUs that its container was given.
      type: list
      elements: dict
      contains:
        uuid: {description: "UUID, also of a part (MIG).", type: str}
        name: {description: "Name, null for one that the host does not have any more.", type: str}
        shared: {description: Whether other labs may have it as well., type: bool}
        utilization: {description: "Percent of the time in which it computed, null where nobody can tell.", type: int}
        memory: {description: "Bytes C(used) and C(total), of all its users; null where nobody can tell.", type: dict}
    drift:
      description: Option to C(declared) and C(found), for all that is not as it was last declared.
      type: dict
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module

OPTIONS = {
    "names": {"type": "list", "elements": "str", "default": []},
    "state_dir": {"type": "path"},
    "hostname": {"type": "str", "default": ""},
    "show_tokens": {"type": "bool", "default": False, "no_log": False},
    "sizes": {"type": "bool", "default": True},
}


def parse(params):
    """What is asked."""
    from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _labs_info, _state

    return _labs_info.Question(
        names=tuple(params["names"]),
        state_dir=params["state_dir"] or _state.default_state_dir(),
        hostname=params["hostname"],
        show_tokens=params["show_tokens"],
        sizes=params["sizes"],
    )


def act(engine, question, _check):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _labs_info

    return _labs_info.ask(engine, question)


def main():
    _module.run(OPTIONS, parse, act)


if __name__ == "__main__":
    main()
