# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The people of a roster, read from a file of the controller and checked."""

from __future__ import annotations

DOCUMENTATION = r"""
name: roster
short_description: The people of a class or a team, from a CSV or YAML file
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Reads a file of the controller with a line, or an item, for each person, and checks all of it.
  - The columns are C(person), which is required, C(group) (an Ansible group whose hosts take the lab), C(image),
    C(memory), C(cpus), C(gpus), C(until) (the last day) and C(lab) (the lab's name, where it is not to be made from the
    person's).
  - A table may be separated by commas, semicolons or tabulators, and begin with the mark that spreadsheets write.
options:
  _terms:
    description: The files. A relative path is below the current directory, else searched as those of roles are.
    required: true
  prefix:
    description: What goes before the name of every lab.
    type: str
    default: ""
  name:
    description:
      - The name of the roster, of letters, digits, C(_), C(.) and C(-).
      - By default that of the file, without its ending.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show who is in the class
  ansible.builtin.debug:
    msg: "{{ lookup('myjupyter.fleet.roster', 'class.csv').people | map(attribute='person') }}"
"""

RETURN = r"""
_raw:
  description:
    - For each file its C(name), its absolute path C(file), and its C(people), each with C(person), C(lab), C(at) (file
      and line), C(group), C(image), C(memory) in bytes, C(cpus), C(gpus) and C(until).
  type: list
  elements: dict
"""

import os

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _name
from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _roster


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        return [self._roster(str(term), variables) for term in terms]

    def _roster(self, term, variables):
        path = self._path(term, variables)
        try:
            with open(path, "rb") as file:
                people = _roster.read(file.read(), os.path.basename(path), self.get_option("prefix"))
            name = _name.checked("name", self.get_option("name") or _roster.name_of(path))
        except OSError as error:
            raise AnsibleLookupError(f"{term}: the roster cannot be read: {error.strerror}.") from None
        except (_roster.WrongRoster, InvalidInput) as error:
            raise AnsibleLookupError(str(error)) from None
        return {"name": name, "file": path, "people": people}

    def _path(self, term, variables):
        path = os.path.abspath(os.path.expanduser(term))
        if os.path.exists(path):
            return path
        return self.find_file_in_search_path(variables, "files", term, ignore_missing=True) or path
