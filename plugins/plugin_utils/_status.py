# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labs of a whole fleet: put together from what every host said, selected, and told in several forms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

GPUS = "GPUS"  # a column where there is a lab with any
HEADING = ("HOST", "LAB", "STATE", "KERNELS", "MEMORY", "JUPYTERLAB", "DRIFT", "ADDRESS")
# What every form tells of a lab.
KEYS = {"busy", "drift", "healthy", "host", "image", "jupyterlab_version", "kernels", "memory", "name"}
KEYS |= {"python_version", "reason", "state", "url", "work_dir"}
# Name of a metric -> what it is, and its value for a lab; None where nobody can tell.
METRICS = {
    "healthy": ("Whether the server of the lab answers.", lambda lab: int(lab["healthy"])),
    "in_trouble": ("Whether the lab is not as well as it was declared to be.", lambda lab: int(in_trouble(lab))),
    "busy": ("Whether a kernel of the lab is executing.", lambda lab: int(lab["busy"])),
    "kernels": ("Kernels of the lab.", lambda lab: len(lab["kernels"])),
    "memory_bytes": ("Memory that the lab uses.", lambda lab: (lab["memory"] or {}).get("used")),
    "memory_limit_bytes": (
        "Memory that the lab may use, 0 for no limit.",
        lambda lab: (lab["memory"] or {}).get("allowed"),
    ),
    "gpus": ("GPUs that the lab was given.", lambda lab: len(lab.get("gpus") or [])),
    "work_bytes": ("Size of the work directory.", lambda lab: (lab["work_dir"] or {}).get("size")),
    "drift": ("Options that are not as they were declared.", lambda lab: len(lab["drift"])),
    "last_activity_timestamp_seconds": ("When a kernel last did something.", lambda lab: _seconds(last_activity(lab))),
}
# The same of a GPU that a lab was given, whoever else may have it.
GPU_METRICS = {
    "utilization_percent": ("How much of the time the GPU computes.", lambda gpu: gpu["utilization"]),
    "memory_bytes": ("Memory of the GPU that is used.", lambda gpu: gpu["memory"]["used"]),
    "memory_total_bytes": ("Memory of the GPU.", lambda gpu: gpu["memory"]["total"]),
}


class WrongSelection(ValueError):
    """An expression that selects no labs, whatever they are."""


def gather(said: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Hosts and labs of a fleet, trouble first. ``said``: each host's result of labs_info, or why there is none."""
    hosts, labs = [], []
    for name, result in sorted(said.items()):
        reached = not result.get("unreachable")
        answers = reached and not result.get("failed") and "labs" in result
        told = str(result.get("msg") or "").strip().removeprefix("Task failed: ")
        reason = "" if answers else told or "it was not asked"
        hosts.append({"name": name, "reachable": reached, "healthy": answers, "reason": reason})
        labs += [{"host": name, **lab} for lab in result.get("labs") or []]
    return {
        "hosts": sorted(hosts, key=lambda host: (host["healthy"], host["name"])),
        "labs": sorted(labs, key=lambda lab: (not in_trouble(lab), not lab["drift"], lab["host"], lab["name"])),
    }


def select(status: Mapping[str, Any], expression: str) -> dict[str, Any]:
    """The labs that a JMESPath expression over ``labs`` and ``hosts`` finds; all for an empty one.

    Raises WrongSelection: it cannot be read, or evaluated, or what it finds are no labs.
    """
    if not expression:
        return dict(status)
    try:
        import jmespath
        import jmespath.exceptions
    except ImportError as error:
        raise WrongSelection("select needs the library jmespath on the controller: `pip install jmespath`.") from error

    try:
        compiled = jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        raise WrongSelection(f"select: {expression!r} is no JMESPath expression: {_why(error)}") from None
    try:
        # JMESPath looks at the names of types, and Ansible's own are not those that it knows.
        found = compiled.search(json.loads(json.dumps(status)))
    except (ValueError, TypeError) as error:  # its own errors are ValueErrors; from Python's come others
        raise WrongSelection(f"select: {expression!r} cannot be evaluated: {_why(error)}") from None
    if found is None:
        found = []
    if not isinstance(found, list) or not all(isinstance(lab, dict) and set(lab) >= KEYS for lab in found):
        raise WrongSelection(f"select: {expression!r} finds no labs: one that does is 'labs[?busy]'.")
    once = {(lab["host"], lab["name"]): lab for lab in found}
    return {**status, "labs": list(once.values())}


def _why(error: Exception) -> str:
    """An error in one line, without its middle where that repeats all labs."""
    line = " ".join(str(error).split())
    return line if len(line) <= 300 else f"{line[:150]} ... {line[-150:]}"


def in_trouble(lab: Mapping[str, Any]) -> bool:
    """Whether a lab is not as well as it was declared to be: one that is stopped may be meant to."""
    at_rest = lab.get("declared_state") == "stopped" and lab["state"] in ("exited", "created")
    return not lab["healthy"] and not at_rest


def unknown(lab: Mapping[str, Any]) -> bool:
    """Whether nobody could tell what goes on in a lab, which counts as busy."""
    return lab["busy"] and not lab["kernels"]


def last_activity(lab: Mapping[str, Any]) -> str:
    """When a kernel last did something (ISO 8601); empty without kernels."""
    return max((kernel.get("last_activity") or "" for kernel in lab["kernels"]), default="")


def summary(status: Mapping[str, Any]) -> str:
    """One line that counts."""
    labs, hosts = status["labs"], status["hosts"]
    parts = [
        f"{len(hosts)} host{'s' * (len(hosts) != 1)}",
        *_count(sum(not host["reachable"] for host in hosts), "unreachable"),
        f"{len(labs)} lab{'s' * (len(labs) != 1)}",
        *_count(sum(map(in_trouble, labs)), "in trouble"),
        *_count(sum(bool(lab["drift"]) for lab in labs), "drifted"),
        *_count(sum(lab["busy"] and not unknown(lab) for lab in labs), "busy"),
        *_count(sum(map(unknown, labs)), "that could not be asked"),
    ]
    return ", ".join(parts)


def table(status: Mapping[str, Any]) -> list[str]:
    """The lines of a table for a terminal: hosts that told nothing, then the labs, trouble first; below it why the
    hosts did not, and the counts."""
    silent = [host for host in status["hosts"] if not host["healthy"]]
    starts = [(host["name"], "-", "failed" if host["reachable"] else "unreachable") for host in silent]
    rows = [HEADING, *((*row, *["-"] * (len(HEADING) - len(row))) for row in starts), *map(_row, status["labs"])]
    if any_gpus(status):
        cells = [GPUS, *["-"] * len(silent), *map(gpus_of, status["labs"])]
        at = HEADING.index("MEMORY") + 1
        rows = [(*row[:at], cell, *row[at:]) for row, cell in zip(rows, cells)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    reasons = [f"{host['name']}: {' '.join(host['reason'].split())}" for host in silent]
    return [*lines, *reasons, summary(status)]


def prometheus(status: Mapping[str, Any]) -> str:
    """The fleet in the text format of https://prometheus.io/docs/instrumenting/exposition_formats/"""
    lines = _family("myjupyter_host_up", "Whether the host and its engine answer.", [
        ({"host": host["name"]}, int(host["healthy"])) for host in status["hosts"]
    ])  # fmt: skip
    for name, (what, value_of) in METRICS.items():
        values = [(_named(lab), value_of(lab)) for lab in status["labs"]]
        lines += _family(f"myjupyter_lab_{name}", what, values)
    for name, (what, value_of_gpu) in GPU_METRICS.items():
        gpus = [
            ({**_named(lab), "gpu": gpu["uuid"]}, value_of_gpu(gpu)) for lab in status["labs"] for gpu in _gpus(lab)
        ]
        lines += _family(f"myjupyter_lab_gpu_{name}", what, gpus)
    about = ("state", "image", "jupyterlab_version", "python_version")
    infos = [({**_named(lab), **{key: str(lab[key] or "") for key in about}}, 1) for lab in status["labs"]]
    return "\n".join(lines + _family("myjupyter_lab_info", "What the lab runs.", infos)) + "\n"


def _named(lab: Mapping[str, Any]) -> dict[str, str]:
    return {"host": lab["host"], "lab": lab["name"]}


def _family(name: str, what: str, values: Sequence[tuple[Mapping[str, str], Any]]) -> list[str]:
    lines = [f"# HELP {name} {what}", f"# TYPE {name} gauge"]
    for labels, value in values:
        if value is not None:
            pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            lines.append(f"{name}{{{pairs}}} {value}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _seconds(when: str) -> float | None:
    try:
        return datetime.fromisoformat(when.replace("Z", "+00:00")).timestamp() if when else None
    except ValueError:
        return None


def _row(lab: Mapping[str, Any]) -> tuple[str, ...]:
    executing = sum(kernel["state"] == "busy" for kernel in lab["kernels"])
    kernels = f"{len(lab['kernels'])} ({executing} busy)" if executing else str(len(lab["kernels"]))
    kernels = "?" if unknown(lab) else kernels
    drift = ", ".join(sorted(lab["drift"])) or "-"
    version = lab["jupyterlab_version"] or "-"
    return (lab["host"], lab["name"], state_of(lab), kernels, memory_of(lab["memory"]), version, drift, lab["url"])


def state_of(lab: Mapping[str, Any]) -> str:
    """The state in a few words: healthy, or why not."""
    return "healthy" if lab["healthy"] else str(lab["reason"]).partition(":")[0]


def memory_of(memory: Mapping[str, Any] | None) -> str:
    """Memory used, and of how much, in MB."""
    if not memory or memory["used"] is None:
        return "-"
    used = f"{memory['used'] / 1024**2:.0f} MB"
    return f"{used} of {memory['allowed'] / 1024**2:.0f}" if memory["allowed"] else used


def any_gpus(status: Mapping[str, Any]) -> bool:
    """Whether there is a lab with a GPU."""
    return any(_gpus(lab) for lab in status["labs"])


def gpus_of(lab: Mapping[str, Any]) -> str:
    """How many GPUs a lab was given, and how busy they are."""
    gpus = _gpus(lab)
    busy = ", ".join("?" if gpu["utilization"] is None else f"{gpu['utilization']}%" for gpu in gpus)
    return f"{len(gpus)} ({busy})" if busy.strip("?, ") else str(len(gpus) or "-")


def gpu_names(lab: Mapping[str, Any]) -> str:
    """The GPUs of a lab, each by its name and UUID."""
    return ", ".join(f"{gpu['name'] or 'gone'} {gpu['uuid']}" for gpu in _gpus(lab))


def _gpus(lab: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return lab.get("gpus") or []


def _count(number: int, what: str) -> list[str]:
    return [f"{number} {what}"] if number else []
