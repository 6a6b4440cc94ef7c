# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Closes a run with one line a host: what became of its labs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: Close a run with one line a host, of its labs
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - After a run with M(myjupyter.fleet.labs) it says for each host how many labs run, were changed, and were left as
    they are because a kernel is executing in them. A host that failed, or was not reached, says so.
  - Says nothing where no task of that module ran.
requirements:
  - enabling it in C(ansible.cfg) by C(callbacks_enabled = myjupyter.fleet.summary)
"""

EXAMPLES = r"""
# gpu1: 12 labs run, 2 changed (ana, ben), 1 deferred (chi)
# gpu2: unreachable
"""

from ansible import context
from ansible.plugins.callback import CallbackBase

TASK = "myjupyter.fleet.labs"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "myjupyter.fleet.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.labs = {}
        self.trouble = {}

    def v2_runner_on_ok(self, result):
        # One that tells nothing, as with no_log or while it goes on by itself, is none of which 0 labs could be told.
        if any("labs" in said for said in _told(result)):
            self._note(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._note(result)
        if not ignore_errors:
            self.trouble[result.host.get_name()] = "failed"

    def v2_runner_on_unreachable(self, result):
        if not result.task.ignore_unreachable:
            self.trouble[result.host.get_name()] = "unreachable"

    def _note(self, result):
        """Keep what a task told of labs; a task in a loop tells it in each of its results.

        A task that only looked ahead, in a run that is no check, has done nothing.
        """
        only_looked = result.task.check_mode and not context.CLIARGS.get("check")
        if result.task.resolved_action != TASK or only_looked:
            return
        known = self.labs.setdefault(result.host.get_name(), {})
        for said in _told(result):
            for lab in said.get("labs", []):
                changed = lab["changed"] or known.get(lab["name"], lab)["changed"]
                known[lab["name"]] = {**lab, "changed": changed}

    def v2_playbook_on_stats(self, stats):
        if self.labs:
            self._display.banner("LABS")
            for host in sorted({*self.labs, *self.trouble}):
                self._display.display(f"{host}: {line(self.labs.get(host, {}), self.trouble.get(host, ''))}")


def _told(result):
    return result.result.get("results") or [result.result]


def line(labs, trouble):
    """What became of a host's labs: a name -> what the module told of it; and what went wrong, or ''."""
    parts = [trouble] if trouble else []
    if labs or not trouble:
        failed = sorted(name for name, lab in labs.items() if lab.get("failed"))
        running = sum(lab["state"] == "started" for name, lab in labs.items() if name not in failed)
        parts.append(f"{running} lab{'s' * (running != 1)} run")
        deferred = sorted(name for name, lab in labs.items() if lab["deferred"])
        changed = sorted(name for name, lab in labs.items() if lab["changed"] and name not in {*deferred, *failed})
        for word, names in (("changed", changed), ("deferred", deferred), ("failed", failed)):
            parts += [f"{len(names)} {word} ({', '.join(names)})"] if names else []
    return ", ".join(parts)
