# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labs of a fleet, as a table, JSON, metrics or a page."""

from __future__ import annotations

import json

from ansible.errors import AnsibleFilterError

from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _page, _status

DOCUMENTATION = r"""
name: fleet_status
short_description: The labs of a fleet, as a table, JSON, metrics or a page
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Puts together what M(myjupyter.fleet.labs_info) told on every host, trouble first.
  - A host that could not be reached, or has no engine, is part of it.
options:
  _input:
    description: The registered result of M(myjupyter.fleet.labs_info) for each host, by its name.
    type: dict
    required: true
  format:
    description:
      - V(table) gives lines for a terminal, V(json) and V(prometheus) a text, V(html) a page that needs nothing else.
    type: str
    choices: [table, json, prometheus, html]
    default: table
  select:
    description:
      - A JMESPath expression that finds labs in C(labs) and C(hosts), such as V(labs[?busy]).
      - A lab has all keys of RV(myjupyter.fleet.labs_info#module:labs), and C(host).
    type: str
    default: ""
  now:
    description: When the fleet was asked, for V(html).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Look at all labs
  myjupyter.fleet.labs_info:
  register: said

- name: Show those that execute something
  ansible.builtin.debug:
    msg: "{{ {inventory_hostname: said} | myjupyter.fleet.fleet_status(select='labs[?busy]') }}"
"""

RETURN = r"""
_value:
  description: The lines, or the text.
  type: raw
"""

FORMATS = {
    "table": lambda status, now: _status.table(status),
    "json": lambda status, now: json.dumps(status, indent=2, sort_keys=True) + "\n",
    "prometheus": lambda status, now: _status.prometheus(status),
    "html": _page.page,
}


def fleet_status(said, format="table", select="", now=""):
    """The fleet in one of the formats. Raises AnsibleFilterError for what is none, or selects no labs."""
    if format not in FORMATS:
        raise AnsibleFilterError(f"format: {format!r} is none of {', '.join(FORMATS)}.")
    try:
        return FORMATS[format](_status.select(_status.gather(said), select), now)
    except _status.WrongSelection as error:
        raise AnsibleFilterError(str(error)) from None  # Ansible tells a cause too, here the same sentence


class FilterModule:
    def filters(self):
        return {"fleet_status": fleet_status}
