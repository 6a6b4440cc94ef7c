"""How long the plan of a roster takes, from the bytes of its file to what each host has to do; and what more moves.

    python -m tests.bench.roster [--people 200] [--hosts 10] [--limit 1.0]

Seconds, medians of --runs. Exits 1 when the plan takes more than --limit, or one more host moves somebody.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _roster, _roster_plan
from tests.unit.test_roster_plan import G, host, lab

TODAY = "2026-01-01"
SIZES = (1, 2, 4)  # GiB of memory, in turn


def table(people: int) -> bytes:
    lines = [f"Person {number};{SIZES[number % 3]}g;31.12.2026" for number in range(people)]
    return "\r\n".join(["person;memory;until", *lines]).encode("utf-8-sig")


def planned(raw: bytes, said: dict, remembered: dict) -> dict:
    hosts = sorted(said)
    fleet = _roster_plan.Fleet(said, {"all": hosts}, hosts)
    return _roster_plan.plan(_roster.read(raw, "class.csv"), fleet, "class", TODAY, remembered)


def with_labs(said: dict, plan: dict) -> dict:
    """What the hosts tell when the plan has been carried out."""
    return {
        name: host(*(lab(one["name"], int(one["memory"]) // G) for one in plan["hosts"][name]["labs"]),
                   memory=told["capacity"]["memory"] // G, placement=plan["placement"])
        for name, told in said.items()
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=float, default=1.0)
    given = parser.parse_args()
    raw, room = table(given.people), 3 * given.people // given.hosts
    said = {f"host{number:03}": host(memory=room) for number in range(given.hosts)}
    times: dict[str, list[float]] = {"from nothing": [], "again": [], "with a host more": []}
    moved = 0
    for _run in range(given.runs):
        begun = time.perf_counter()
        first = planned(raw, said, {})
        times["from nothing"].append(time.perf_counter() - begun)
        there = with_labs(said, first)
        begun = time.perf_counter()
        planned(raw, there, first["placement"])
        times["again"].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        more = planned(raw, {**there, "host": host(memory=room)}, first["placement"])
        times["with a host more"].append(time.perf_counter() - begun)
        before = {one["lab"]: one["host"] for one in first["people"]}
        moved = sum(one["host"] != before[one["lab"]] for one in more["people"])
    middle = {name: statistics.median(values) for name, values in times.items()}
    told = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in middle.items())
    print(f"{given.people} people over {given.hosts} hosts are planned: {told}; a host more moves {moved} labs")
    return int(max(middle.values()) > given.limit or moved > 0)


if __name__ == "__main__":
    sys.exit(main())
