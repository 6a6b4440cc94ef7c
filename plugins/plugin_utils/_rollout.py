# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A roll-out as values: in which order hosts get a change, when it stops, and what it came to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

WAVE = re.compile(r"[1-9][0-9]*|([1-9][0-9]?|100)%")
DEFAULT_WAVES = ("10%", "30%", "100%")
CHECKED = "This was a check: nothing was changed."
AFTER_STOP = (
    "What was moved stays moved. Set right what failed, or take the change back where it is declared, and run again: "
    "it goes on from here."
)


class WrongRollout(Exception):
    """What was asked for cannot be meant: the option, its value and what would be right."""


def plan(
    labs: Mapping[str, Sequence[Any]], everybody: Sequence[str], canary: Any = (), waves: Any = (), limit: Any = 0
) -> dict[str, Any]:
    """The order of the hosts that ``labs`` names with their labs, the canary first, and how many go at a time.

    ``everybody``: all hosts of the run, also those that were lost already. Raises WrongRollout.
    """
    hosts = list(labs)
    first = _canary(labs, everybody, canary)
    return {
        "everybody": list(everybody),
        "canary": first,
        "order": [*first, *(host for host in hosts if host not in first)],
        "serial": [len(first) or 1, *_waves(waves)],
        "limit": _share(limit),
    }


def report(
    plan: Mapping[str, Any], came: Mapping[str, Mapping[str, Any]], wave: Sequence[str], to: str, check: bool = False
) -> dict[str, Any]:
    """Whether the roll-out stops after this wave, which of its hosts failed, and the lines that tell people.

    ``came``: what came of each host that was begun; ``labs`` and ``deferred`` as the module labs tells them, and
    ``failed``, the result of the task that failed.
    """
    reasons = {host: _reason(about["failed"]) for host, about in came.items() if about.get("failed")}
    failed = [host for host in wave if host in reasons]
    canary = bool(set(wave) & set(plan["canary"]))
    whole = len(failed) == len(wave)
    stop = bool(failed) and (canary or whole or 100 * len(failed) > plan["limit"] * len(wave))
    waiting = [host for host in plan["order"] if host not in came]
    lost = [host for host in plan["everybody"] if host not in plan["order"]]
    lines = [*_told(came, reasons, check), *(f"failed: {host}: before its labs, as is said above" for host in lost)]
    if waiting:
        lines.append(f"{'not begun, and as they were' if stop else 'to come'}: {', '.join(waiting)}")
    if stop:
        share = f"{len(failed)} of {len(wave)} in this wave{' (the canary)' if canary else ''}"
        lines.append(f"Stopped, because {share} failed. {AFTER_STOP}")
    elif not waiting:
        busy = any(about.get("deferred") for about in came.values())
        lines.append(CHECKED if check else _next(bool(reasons or lost), busy, to))
    return {"stop": stop, "failed": failed, "reasons": reasons, "lines": lines}


def _canary(labs: Mapping[str, Sequence[Any]], everybody: Sequence[str], canary: Any) -> list[str]:
    """By default the first host that has labs: one without would show nothing."""
    given = list(canary) if isinstance(canary, (list, tuple)) else str(canary or "").split(",")
    named = list(dict.fromkeys(word for word in (str(item).strip() for item in given) if word))
    for host in named:
        if host not in everybody:
            raise WrongRollout(f"upgrade_canary: {host!r} is none of this run's hosts, {', '.join(everybody)}.")
        if host not in labs:
            raise WrongRollout(f"upgrade_canary: {host!r} was lost before its labs: name another, or run again.")
    return named or [host for host in labs if labs[host]][:1] or list(labs)[:1]


def _waves(waves: Any) -> list[str]:
    given = waves.split(",") if isinstance(waves, str) else waves if isinstance(waves, (list, tuple)) else [waves]
    words = [str(word).strip() for word in given] or list(DEFAULT_WAVES)
    for word in words:
        if not WAVE.fullmatch(word):
            raise WrongRollout(f"upgrade_waves: {word!r} should be a number of hosts or a share such as 10%.")
    return words


def _share(limit: Any) -> float:
    try:
        share = float(str(limit).rstrip("%"))
    except ValueError:
        share = -1
    if not 0 <= share <= 100:
        raise WrongRollout(f"upgrade_max_fail_percentage: {limit!r} should be a number from 0 to 100.")
    return share


def _told(came: Mapping[str, Mapping[str, Any]], reasons: Mapping[str, str], check: bool) -> list[str]:
    lines = []
    for host, about in came.items():
        moved = [lab["name"] for lab in about.get("labs", []) if lab["changed"] and not lab.get("failed")]
        busy = [f"{item['lab']} ({item['reason']})" for item in about.get("deferred", [])]
        if moved:
            lines.append(f"{'would be moved' if check else 'moved'}: {host}: {', '.join(moved)}")
        if busy:
            lines.append(f"left for later, because busy: {host}: {', '.join(busy)}")
        if host in reasons:
            lines.append(f"failed: {host}: {reasons[host]}")
        elif not moved and not busy:
            lines.append(f"nothing to move: {host}")
    return lines


def _reason(result: Mapping[str, Any]) -> str:
    """Why a task failed, in its own words; of a loop, those of the first turn that did."""
    if result.get("unreachable"):
        return f"unreachable: {str(result.get('msg', '')).strip()}"
    turns = [turn for turn in result.get("results", []) if turn.get("failed") or turn.get("unreachable")]
    return _reason(turns[0]) if turns else str(result.get("msg", "")).strip()


def _next(failed: bool, busy: bool, to: str) -> str:
    """What to do after the last wave."""
    if failed:
        return "Set right what failed and run again: it catches up."
    if busy:
        return "Run again when these kernels are done: it moves what is left."
    if to == "previous":
        return "Now declare what the labs run on, or the next run of site or upgrade moves them forward again."
    return "All hosts have what is declared."
