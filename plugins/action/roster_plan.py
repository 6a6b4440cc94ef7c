# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin roster_plan: the plan of a roster, made on the controller out of what all hosts told."""

from __future__ import annotations

import datetime
import json
import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _name
from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _placement, _roster_plan


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _rules, given = self.validate_argument_spec(
            {
                "roster": {"type": "str", "required": True},
                "people": {"type": "list", "elements": "dict", "required": True},
                "said": {"type": "dict", "required": True},
                "hosts": {"type": "list", "elements": "str", "required": True},
                "placement": {"type": "path"},
                "today": {"type": "str", "default": ""},
                "forget_hosts": {"type": "list", "elements": "str", "default": []},
                "many_may_leave": {"type": "bool", "default": False},
            }
        )
        fleet = _roster_plan.Fleet(
            said=given["said"],
            groups=(task_vars or {}).get("groups", {}),
            everywhere=given["hosts"],
            forget=given["forget_hosts"],
        )
        today = given["today"] or datetime.date.today().isoformat()
        try:
            roster, remembered = _name.checked("roster", given["roster"]), _remembered(given["placement"])
            plan = _roster_plan.plan(given["people"], fleet, roster, today, remembered, given["many_may_leave"])
        except (_placement.DoesNotFit, InvalidInput) as error:
            raise AnsibleActionFail(str(error)) from None
        warnings = {"warnings": plan.pop("notes")}
        return {**result, **warnings, **plan, "changed": False}


def _remembered(path: str | None) -> dict[str, Any]:
    """What an earlier run kept; nothing where there was none."""
    if not path or not os.path.exists(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            memory = json.load(file)
        if not isinstance(memory["number"], int) or not all(one["host"] for one in memory["people"].values()):
            raise ValueError("it names no hosts")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnsibleActionFail(
            f"placement: {path} is not what an earlier run wrote ({error}): put it aside, and the hosts tell who is "
            "where."
        ) from None
    return memory
