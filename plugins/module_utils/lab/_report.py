# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over labs tells: the module's result, read off the plans."""

from __future__ import annotations

import json
import socket
from collections.abc import Container, Iterable
from typing import Any

from .._errors import FleetError
from ._lab import Lab
from ._options import Options
from ._plan import LabPlan, Step, difference_of


def told(
    plans: list[LabPlan], options: Options, warnings: Iterable[str] = (), failed: Container[str] = ()
) -> dict[str, Any]:
    return {
        "changed": any(plan.changed for plan in plans),
        "steps": [_step_told(plan, step) for plan in plans if plan.changed for step in plan.steps],
        "deferred": [
            {"lab": plan.wanted.name, "reason": plan.deferred, "steps": [step.action for step in plan.steps]}
            for plan in plans
            if plan.deferred
        ],
        "labs": [{**_lab_told(plan, options), "failed": plan.wanted.name in failed} for plan in plans],
        "diff": {side: _yaml_like(labs) for side, labs in difference_of(plans).items()},
        "warnings": [
            *(
                f"{plan.wanted.name} is left as it is for now ({plan.deferred}): run again later, or with when_busy: "
                "force."
                for plan in plans
                if plan.deferred
            ),
            *warnings,
        ],
    }


def _step_told(plan: LabPlan, step: Step) -> dict[str, Any]:
    return {"lab": plan.wanted.name, "action": step.action, "reason": step.reason}


def _lab_told(plan: LabPlan, options: Options) -> dict[str, Any]:
    lab = plan.found.lab if plan.deferred and plan.found else plan.wanted
    state = "started" if lab.state == "restarted" else lab.state
    told = {"name": lab.name, "state": state, "changed": plan.changed, "deferred": bool(plan.deferred)}
    if state == "absent":
        return told
    if plan.deferred and not plan.found:
        return {**told, "state": "absent"}
    return {
        **told,
        "image": lab.image,
        "bind_address": lab.bind_address,
        "port": lab.port,
        "url": url_of(lab, options.hostname, options.state.token(lab.name) if options.show_tokens else ""),
        "work_dir": lab.work_dir,
        "owner": lab.owner,
        "gpus": lab.gpus,
    }


def url_of(lab: Lab, hostname: str = "", token: str = "") -> str:
    """The address that a person opens; it lets the person in where it has the token."""
    anywhere = lab.bind_address in ("0.0.0.0", "::")
    host = (hostname or socket.gethostname()) if anywhere else lab.bind_address
    query = f"?token={token}" if token else ""
    return f"{lab.scheme}://{f'[{host}]' if ':' in host else host}:{lab.port}{lab.base_url}lab{query}"


def _yaml_like(labs: dict[str, Any]) -> str:
    return json.dumps(labs, indent=2, sort_keys=True) + "\n" if labs else ""


def log_of(failures: Iterable[FleetError]) -> dict[str, Any]:
    return {"log": [line for error in failures for line in error.details.get("log", [])]}
