# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a roster and what the hosts say to what each host has to do; and what has to be remembered of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._lab import ROSTER_LABEL

from ._placement import DoesNotFit, Need, Room, homes, place, settle

FEW = 3  # so many may leave at once, whatever the size of the roster


@dataclass(frozen=True)
class Fleet:
    """What is known of the hosts. ``said``: what those that answered told; ``everywhere``: where people without a
    group may be; ``forget``: hosts that are given up with the labs on them."""

    said: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, Sequence[str]]
    everywhere: Sequence[str]
    forget: Sequence[str] = ()

    def hosts_of(self, group: str) -> list[str]:
        hosts = self.groups[group] if group else self.everywhere
        return [host for host in hosts if host in self.everywhere and host not in self.forget]


@dataclass
class _Plan:
    """What is being found out."""

    roster: str
    fleet: Fleet
    people: dict[str, Mapping[str, Any]]
    where: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def plan(
    people: Iterable[Mapping[str, Any]],
    fleet: Fleet,
    roster: str,
    today: str,
    remembered: Mapping[str, Any],
    many_may_leave: bool = False,
) -> dict[str, Any]:
    """What each host that answered has to do, everybody's place, and what to remember.

    ``remembered`` is what the controller kept of an earlier plan; hosts may know a newer one. Raises DoesNotFit,
    with all reasons, when somebody cannot have what is asked for.
    """
    everyone = list(people)
    here = {one["lab"]: one for one in everyone if not (one["until"] and one["until"] < today)}
    _refuse([*_wrong_groups(here.values(), fleet), *_names_taken(here.values(), fleet, roster)])
    memory = _newest([remembered, *(answer.get("placement") or {} for answer in fleet.said.values())])
    before = {lab: one for lab, one in memory.get("people", {}).items() if one["host"] not in fleet.forget}
    draft = _Plan(roster, fleet, here)

    containers, work = _containers(fleet, roster), _work(fleet)
    labs = sorted({*here, *before, *containers})  # other directories are nobody's of this roster
    hosts = {lab: one["host"] for lab, one in before.items()}
    draft.where, doubtful = homes(labs, containers, work, hosts, fleet.said)
    _refuse([*doubtful, *_lost_hosts(draft), *_unknown_silence(draft, memory, bool(containers or work))])
    ended = {one["lab"] for one in everyone} - set(here)
    if not many_may_leave:
        _refuse(_too_many(set(containers) - set(here) - ended, containers))
    _refuse(_settled(draft))
    _tell(draft, containers)
    return _result(draft, memory, before)


def _refuse(sentences: Sequence[str]) -> None:
    if sentences:
        raise DoesNotFit("\n".join(sentences))


def _wrong_groups(people: Iterable[Mapping[str, Any]], fleet: Fleet) -> list[str]:
    mistakes = []
    for one in people:
        group = one["group"]
        if group and group not in fleet.groups:
            known = ", ".join(sorted(set(fleet.groups) - {"all", "ungrouped"})) or "it has none"
            mistakes.append(f"{one['at']}: group {group!r} is no group of the inventory: {known}.")
        elif not fleet.hosts_of(group):
            mistakes.append(
                f"{one['at']}: group {group!r} has no hosts in this play: give it some, or choose them by fleet_hosts."
            )
    return mistakes


def _names_taken(people: Iterable[Mapping[str, Any]], fleet: Fleet, roster: str) -> list[str]:
    others = {
        lab["name"]: (host, lab["roster"])
        for host, answer in fleet.said.items()
        for lab in answer["labs"]
        if lab["roster"] != roster
    }
    return [
        f"{one['at']}: {one['person']!r} becomes the lab {one['lab']}, which {others[one['lab']][0]} has already, "
        f"{f'of the roster {other}' if (other := others[one['lab']][1]) else 'declared elsewhere'}: give another name "
        "in a column 'lab', or all of them by jupyter_roster_prefix."
        for one in people
        if one["lab"] in others
    ]


def _newest(memories: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    return max(memories, key=lambda memory: memory.get("number", 0), default={})


def _containers(fleet: Fleet, roster: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for host, answer in fleet.said.items():
        for lab in answer["labs"]:
            if lab["roster"] == roster:
                found.setdefault(lab["name"], []).append(host)
    return found


def _work(fleet: Fleet) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for host, answer in fleet.said.items():
        for lab in {*answer["works"], *answer["archives"]}:
            found.setdefault(lab, []).append(host)
    return found


def _lost_hosts(draft: _Plan) -> list[str]:
    """People whose host the inventory no longer has."""
    lost: dict[str, list[str]] = {}
    known = {host for hosts in draft.fleet.groups.values() for host in hosts}
    for lab in draft.people:
        host = draft.where.get(lab)
        if host and host not in known:
            lost.setdefault(host, []).append(lab)
    return [
        f"{host} is no longer in the inventory, and has the work of {_names(labs)}: put it back, or give them new, "
        f'empty labs elsewhere by -e \'{{"jupyter_roster_forget_hosts": ["{host}"]}}\'.'
        for host, labs in sorted(lost.items())
    ]


def _unknown_silence(draft: _Plan, memory: Mapping[str, Any], seen_before: bool) -> list[str]:
    """Somebody unknown may be on a host that does not answer, when nobody remembers and this is not the first run."""
    unknown = [lab for lab in draft.people if lab not in draft.where]
    silent = [host for host in draft.fleet.hosts_of("") if host not in draft.fleet.said]
    if not unknown or not silent or not seen_before or memory.get("people"):
        return []
    return [
        f"{_names(silent)} does not answer, and what was remembered of this roster is lost: {_names(unknown)} may be "
        "there. Run again when it answers, or give it up by "
        f"-e '{{\"jupyter_roster_forget_hosts\": {_list(silent)}}}'."
    ]


def _too_many(leaving: set[str], there: Mapping[str, Any]) -> list[str]:
    """A wrong or cut off file would take away the labs of nearly all."""
    if len(leaving) <= FEW or 2 * len(leaving) <= len(there):
        return []
    return [
        f"{len(leaving)} of {len(there)} labs would go, as their people are no longer in the roster "
        f"({_names(sorted(leaving))}): is it the right file? If so, say -e jupyter_roster_many_may_leave=true."
    ]


def _settled(draft: _Plan) -> list[str]:
    """Give everybody a host who has none; what stands in the way."""
    said = draft.fleet.said
    rooms = {host: _room(host, said[host], draft) for host in said}
    growing = []
    for lab, one in sorted(draft.people.items()):
        host = draft.where.get(lab, "")
        if host not in said:
            continue
        need, has = _need(one, draft.fleet, [host]), _has(said[host], lab)
        if has is None or any(wanted > now for wanted, now in zip(need.of(host), has)):
            growing.append((need, host))
        else:  # who is there stays, even where the host has become too small
            rooms[host].take(*need.of(host))
    refusals = settle(growing, rooms)
    placed, left = place(_new(draft), rooms)
    draft.where.update(placed)
    return [*refusals, *left]


def _new(draft: _Plan) -> list[Need]:
    """What those need who have no host yet; they wait where no host of their group answers."""
    needs = []
    for lab, one in sorted(draft.people.items()):
        if lab in draft.where:
            continue
        hosts = draft.fleet.hosts_of(one["group"])
        answering = [host for host in hosts if host in draft.fleet.said]
        if answering:
            needs.append(_need(one, draft.fleet, answering))
        else:
            draft.waiting[lab] = f"{_names(hosts)} does not answer"
    return needs


def _room(host: str, answer: Mapping[str, Any], draft: _Plan) -> Room:
    """A host without the labs of the people who stay: those of others count, and those that are too busy to go."""
    has = answer["capacity"]
    room = Room(host, has["memory"], has["cpus"], has["gpus"], 0, has["memory"], has["gpus"])
    for lab in answer["labs"]:
        elsewhere = draft.where.get(lab["name"]) != host
        if lab["roster"] != draft.roster or elsewhere or (lab["name"] not in draft.people and lab["busy"]):
            room.take(lab["memory"], _count(lab["gpus"], has["gpus"]))
    return room


def _need(one: Mapping[str, Any], fleet: Fleet, hosts: Sequence[str]) -> Need:
    memory, gpus = {}, {}
    for host in hosts:
        answer = fleet.said[host]
        memory[host] = one["memory"] or answer["defaults"]["memory"]
        default = _count(answer["defaults"]["gpus"], answer["capacity"]["gpus"])
        gpus[host] = default if one["gpus"] is None else one["gpus"]
    return Need(one["lab"], f"{one['person']} ({one['at']})", tuple(hosts), memory, gpus)


def _has(answer: Mapping[str, Any], name: str) -> tuple[int, int] | None:
    for lab in answer["labs"]:
        if lab["name"] == name:
            return lab["memory"], _count(lab["gpus"], answer["capacity"]["gpus"])
    return None


def _count(gpus: Sequence[str], all_of_them: int) -> int:
    """How many GPUs a lab has for itself: all, a number, or those that are named."""
    if list(gpus) == ["all"]:
        return all_of_them
    return int(gpus[0]) if len(gpus) == 1 and gpus[0].isdigit() else len(gpus)


def _tell(draft: _Plan, containers: Mapping[str, Sequence[str]]) -> None:
    fleet = draft.fleet
    for lab, hosts in sorted(containers.items()):
        for host in hosts:
            if draft.where[lab] != host:
                draft.notes.append(
                    f"{host} has another lab {lab}, whose person is on {draft.where[lab]}: it is left as it is, until "
                    "somebody looks into its work and removes it."
                )
    for host in sorted({*fleet.everywhere, *draft.where.values()} - set(fleet.said) - set(fleet.forget)):
        kept = sorted(lab for lab, at in draft.where.items() if at == host and lab in draft.people)
        if kept:
            draft.notes.append(f"{host} was not reached: {_names(kept)} stay there as they are.")
    for lab, reason in sorted(draft.waiting.items()):
        draft.notes.append(f"{lab} has no host yet, as {reason}: run again when it does.")
    local = [host for host, answer in fleet.said.items() if not answer["defaults"]["bind_address"]]
    if local and draft.people:
        draft.notes.append(
            f"The labs of {_names(sorted(local))} listen on 127.0.0.1 only, so nobody else opens them: set "
            "bind_address in jupyter_labs_defaults."
        )


def _result(draft: _Plan, memory: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    places = {
        lab: {"host": host, "person": (draft.people.get(lab) or before.get(lab) or {}).get("person", "")}
        for lab, host in sorted(draft.where.items())
    }
    number = memory.get("number", 0) + (places != memory.get("people", {}))
    return {
        "hosts": {host: _for_host(draft, host) for host in sorted(draft.fleet.said)},
        "people": [
            {"person": one["person"], "lab": lab, "host": draft.where.get(lab, ""), "until": one["until"]}
            for lab, one in sorted(draft.people.items())
        ],
        "placement": {"roster": draft.roster, "number": number, "people": places},
        "notes": draft.notes,
    }


def _for_host(draft: _Plan, host: str) -> dict[str, Any]:
    answer = draft.fleet.said[host]
    labels = {**answer["defaults"]["labels"], ROSTER_LABEL: draft.roster}
    there = [lab for lab, at in sorted(draft.where.items()) if at == host]
    running = {lab["name"] for lab in answer["labs"] if lab["roster"] == draft.roster}
    gone = [lab for lab in there if lab not in draft.people]
    return {
        "labs": [_lab(draft, lab, answer, labels) for lab in there if lab in draft.people],
        "leave": [{"name": lab, "state": "absent", "labels": labels} for lab in gone if lab in running],
        "archive": [lab for lab in gone if lab in answer["works"] or lab in running],
        "restore": [
            lab
            for lab in there
            if lab in draft.people and lab in answer["archives"] and lab not in answer["works"] and lab not in running
        ],
    }


def _lab(draft: _Plan, name: str, answer: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """A person's lab with the options of the module labs; what nobody says is left to the host's defaults."""
    one = draft.people[name]
    lab: dict[str, Any] = {
        "name": name,
        "work_dir": f"{draft.roster}/{name}",
        "memory": str(one["memory"] or answer["defaults"]["memory"]),
        "labels": dict(labels),
    }
    lab.update({key: one[key] for key in ("image", "cpus") if one[key]})
    if one["gpus"] is not None:
        lab["gpus"] = str(one["gpus"]) if one["gpus"] else []
    return lab


def _names(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"
