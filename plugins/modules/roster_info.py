# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: what a host tells of a roster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: roster_info
short_description: Tell what a host has to give to the labs of a roster, and what it knows of it
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Tells the host's memory, processors and GPUs, the labs on it with what they take of them, and the work and the
    placement of a roster that are on it. Changes nothing.
  - M(myjupyter.fleet.roster_plan) makes a plan out of what all hosts tell.
extends_documentation_fragment:
  - myjupyter.fleet.engine
  - myjupyter.fleet.attributes.info
options:
  roster:
    description: Name of the roster, of letters, digits, C(_), C(.) and C(-).
    type: str
    required: true
  names:
    description: Labs of the people in the roster. Only of other labs of the roster it is asked whether they are busy.
    type: list
    elements: str
    default: []
  capacity:
    description:
      - What labs may have of this host, where it is not all that it has, C(memory) such as V(64g), C(cpus), C(gpus).
    type: dict
    default: {}
  reserve:
    description: Memory that is kept for the host itself, as a size or a share.
    type: str
    default: 10%
  defaults:
    description: Options that labs of this host have unless the roster says otherwise, as in C(jupyter_labs_defaults).
    type: dict
    default: {}
  memory_default:
    description: Memory of a lab of which neither the roster nor O(defaults) says it.
    type: str
    default: 2g
  work_root:
    description: Directory below which work directories are, as in M(myjupyter.fleet.labs).
    type: str
    default: /srv/myjupyter
  archive_dir:
    description: Directory below which M(myjupyter.fleet.archive) puts archives.
    type: str
    default: /srv/myjupyter-archive
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
    description: Give RV(labs[].url) of the roster's labs with the token. Set C(no_log) for such a task.
    type: bool
    default: false
seealso:
  - module: myjupyter.fleet.roster_plan
  - module: myjupyter.fleet.archive
  - module: myjupyter.fleet.handouts
"""

EXAMPLES = r"""
- name: Ask the hosts
  myjupyter.fleet.roster_info:
    roster: class
    reserve: 4g
  register: said
"""

RETURN = r"""
capacity:
  description: What labs may have of the host, C(memory) in bytes (without the reserve), C(cpus) and C(gpus).
  returned: always
  type: dict
defaults:
  description: What labs of this host have by default, C(memory) in bytes, C(gpus), C(labels) and C(bind_address).
  returned: always
  type: dict
labs:
  description: All labs of this collection on the host.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name of the lab., type: str}
    roster: {description: The roster that it is of; empty for one that is declared by itself., type: str}
    memory: {description: "Most memory that it may use, in bytes; 0 for no limit.", type: int}
    gpus: {description: "GPUs that it has: C(all), a number, or UUIDs.", type: list, elements: str}
    running: {description: Whether its container runs., type: bool}
    busy: {description: "Whether a kernel is executing, in a lab of the roster that is not in O(names).", type: bool}
    url: {description: Address to open., type: str}
works:
  description: Labs of the roster whose work directory is on the host.
  returned: always
  type: list
  elements: str
archives:
  description: Labs of the roster of whose work an archive is on the host.
  returned: always
  type: list
  elements: str
placement:
  description: What the host remembers of the roster's placement.
  returned: always
  type: dict
state_dir:
  description: Directory of the tokens.
  returned: always
  type: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module

OPTIONS = {
    "roster": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "default": []},
    "capacity": {"type": "dict", "default": {}},
    "reserve": {"type": "str", "default": "10%"},
    "defaults": {"type": "dict", "default": {}},
    "memory_default": {"type": "str", "default": "2g"},
    "work_root": {"type": "str", "default": "/srv/myjupyter"},
    "archive_dir": {"type": "str", "default": "/srv/myjupyter-archive"},
    "state_dir": {"type": "path"},
    "hostname": {"type": "str", "default": ""},
    "show_tokens": {"type": "bool", "default": False, "no_log": False},
}


def parse(params):
    """What is asked."""
    from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _state
    from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _capacity, _name, _roster_info

    return _roster_info.Question(
        roster=_name.checked("roster", params["roster"]),
        names=frozenset(params["names"]),
        work_root=params["work_root"],
        archive_dir=params["archive_dir"],
        state_dir=params["state_dir"] or _state.default_state_dir(),
        capacity=params["capacity"],
        reserve=params["reserve"],
        defaults=_capacity.defaults_of(params["defaults"], params["memory_default"]),
        hostname=params["hostname"],
        show_tokens=params["show_tokens"],
    )


def act(engine, question, _check):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _roster_info

    return _roster_info.ask(engine, question)


def without_engine(question):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _roster_info

    return _roster_info.without_engine(question)


def main():
    _module.run(OPTIONS, parse, act, without_engine=without_engine)


if __name__ == "__main__":
    main()
