# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: the work of people who left, in an archive that is known to be whole."""

from __future__ import annotations

DOCUMENTATION = r"""
module: archive
short_description: Archive the work of labs, or bring it back
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Packs a work directory into a C(tar.zst), or a C(tar.gz) where the host has no C(zstd), reads the file again from
    beginning to end, compares it with what went in, and only then gives it its name.
  - Neither a work directory nor an archive is ever removed.
  - An archive is made anew only where the work has changed since the last one.
extends_documentation_fragment:
  - myjupyter.fleet.attributes
attributes:
  diff_mode:
    support: none
    description: Tells its steps instead.
options:
  names:
    description: Labs whose work is meant, which is the name of each one's directory in O(work_dir).
    type: list
    elements: str
    required: true
  work_dir:
    description: Directory with the work directories.
    type: path
    required: true
  archive_dir:
    description: Directory for the archives, with one of its own for each lab, closed to all others.
    type: path
    required: true
  state:
    description:
      - V(archived) has an archive of the work as it is now. A lab without a work directory needs none.
      - V(restored) brings the work back from the newest archive where the work directory is gone.
    type: str
    choices: [archived, restored]
    default: archived
  state_dir:
    description:
      - Directory of the tokens, as in M(myjupyter.fleet.labs), where runs that change labs wait for each other.
      - By default C(/var/lib/myjupyter) for root, C(~/.local/share/myjupyter) for another user.
    type: path
  wait_timeout:
    description: Seconds to wait for another run that changes labs of this host.
    type: int
    default: 120
seealso:
  - module: myjupyter.fleet.labs
"""

EXAMPLES = r"""
- name: Archive the work of two people who left
  myjupyter.fleet.archive:
    names: [ana, ben]
    work_dir: /srv/myjupyter/class
    archive_dir: /srv/myjupyter-archive/class
"""

RETURN = r"""
steps:
  description: What was done (under check mode would be done), in order.
  returned: always
  type: list
  elements: dict
  contains:
    lab: {description: Name of the lab., type: str}
    action: {description: "C(archive) or C(restore).", type: str}
    reason: {description: Why., type: str}
archives:
  description: The archives that were made or unpacked.
  returned: always
  type: list
  elements: dict
  contains:
    lab: {description: Name of the lab., type: str}
    path: {description: Path of the archive., type: str}
    size: {description: Its size in bytes., type: int}
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module

OPTIONS = {
    "names": {"type": "list", "elements": "str", "required": True},
    "work_dir": {"type": "path", "required": True},
    "archive_dir": {"type": "path", "required": True},
    "state": {"type": "str", "default": "archived", "choices": ["archived", "restored"]},
    "state_dir": {"type": "path"},
    "wait_timeout": {"type": "int", "default": 120},
}


def parse(params):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _state
    from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _archive

    return _archive.check_wish(
        _archive.Wish(
            names=tuple(params["names"]),
            work_dir=params["work_dir"],
            archive_dir=params["archive_dir"],
            state_dir=params["state_dir"] or _state.default_state_dir(),
            restore=params["state"] == "restored",
            wait_timeout=params["wait_timeout"],
        )
    )


def act(wish, check):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _archive

    return _archive.make_so(wish, check)


def main():
    _module.run_on_host(OPTIONS, parse, act)


if __name__ == "__main__":
    main()
