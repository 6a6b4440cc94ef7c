# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: addresses of labs for the people who work in them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: handouts
short_description: Write the addresses of labs for the people who work in them
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Writes a text for each person, and a sheet of all of them as CSV and as HTML that prints well, into a directory that
    its owner alone can read. Run it on the controller, by C(delegate_to).
  - Nothing of what is in the files is in the result, and O(addresses) are shown nowhere.
  - Texts of people who are no longer among O(people) are removed. What others put into the directory stays.
extends_documentation_fragment:
  - myjupyter.fleet.attributes
attributes:
  diff_mode:
    support: none
    description: Would show tokens.
options:
  dest:
    description: The directory, made with mode 0700 where it is missing.
    type: path
    required: true
  roster:
    description: What the sheet is called.
    type: str
    required: true
  people:
    description: Who gets one.
    type: list
    elements: dict
    required: true
    suboptions:
      person:
        description: Name of the person.
        type: str
        required: true
      lab:
        description: Name of the lab.
        type: str
        required: true
      host:
        description: Host that the lab is on.
        type: str
        default: ""
      until:
        description: Last day of the lab.
        type: str
        default: ""
  addresses:
    description:
      - Addresses with their tokens, for each host by lab. For a lab that is not in it that of an earlier run is kept.
    type: dict
    default: {}
seealso:
  - module: myjupyter.fleet.roster_info
"""

EXAMPLES = r"""
- name: Write what people need to begin
  myjupyter.fleet.handouts:
    dest: ~/class-handouts
    roster: class
    people:
      - {person: Ana, lab: ana, host: gpu1}
    addresses:
      gpu1:
        ana: http://gpu1.example.edu:10000/lab?token=...
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
dest:
  description: The directory.
  returned: always
  type: str
written:
  description: Names of the files that were written.
  returned: always
  type: list
  elements: str
removed:
  description: Names of the files that were removed.
  returned: always
  type: list
  elements: str
without_address:
  description: Labs of which no address is known yet.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput

PERSON = {
    "person": {"type": "str", "required": True},
    "lab": {"type": "str", "required": True},
    "host": {"type": "str", "default": ""},
    "until": {"type": "str", "default": ""},
}
OPTIONS = {
    "dest": {"type": "path", "required": True},
    "roster": {"type": "str", "required": True},
    "people": {"type": "list", "elements": "dict", "required": True, "options": PERSON},
    "addresses": {"type": "dict", "default": {}, "no_log": True},
}


def parse(params):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _folder

    dest, told = _folder.check_dest(params["dest"]), params["addresses"]
    for host, labs in told.items():
        if not isinstance(labs, dict):
            raise InvalidInput("addresses", host, "should hold addresses by the names of labs.")
    people = [{**one, "address": told.get(one["host"], {}).get(one["lab"], "")} for one in params["people"]]
    return dest, params["roster"], people


def act(wanted, check):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _folder

    return _folder.make_so(*wanted, check)


def main():
    _module.run_on_host(OPTIONS, parse, act)


if __name__ == "__main__":
    main()
