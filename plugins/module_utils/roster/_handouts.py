# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people get into their hands: a text for each, and a sheet of all for the teacher, as CSV and as HTML."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

COLUMNS = ("person", "lab", "host", "address", "token", "until")
STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet compute a cell
TEXT = """\
JupyterLab of {person}

Open this address in a browser; it lets you in:

    {address}

Where you are asked for a token, this is yours:

    {token}

Whoever has the address or the token can work as you: give it to nobody.

To begin: choose "Python 3" under Notebook, write into the first cell, and press Shift and Enter.
What you save on the left is kept, also when your lab is stopped or renewed. What you save elsewhere is not.
{until}"""
STYLE = """
@page { size: A4; margin: 10mm; }
body { margin: 1.5rem auto; max-width: 60rem; padding: 0 1rem; color: #1f2328; background: #fff;
  font: 13px/1.4 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.3rem; } p { margin: .2rem 0 1rem; color: #59636e; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .45rem .5rem; text-align: left; vertical-align: top; border-bottom: 1px solid #d0d7de; }
th { border-bottom-width: 2px; }
td { overflow-wrap: anywhere; } td:first-child { font-weight: 600; overflow-wrap: normal; }
code { font: 12px/1.4 ui-monospace, monospace; } a { color: inherit; text-decoration: none; }
thead { display: table-header-group; } tr { break-inside: avoid; }
@media print { body { margin: 0; padding: 0; max-width: none; font-size: 9pt; } code { font-size: 6.5pt; }
  th, td { padding: .25rem .4rem; } }
"""
SHEET = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{count}. Whoever has an address can work as that person: keep this sheet as you keep keys.</p>
<table>
<thead><tr><th scope="col">Person</th><th scope="col">Address</th><th scope="col">Until</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


@dataclass(frozen=True)
class Person:
    """A person and the lab's address, with the token in it; empty where there is none yet."""

    person: str
    lab: str
    host: str = ""
    address: str = ""
    until: str = ""

    @property
    def token(self) -> str:
        found = re.search(r"[?&]token=([^&#]+)", self.address)
        return found.group(1) if found else ""


def handouts(roster: str, people: Iterable[Person]) -> dict[str, str]:
    """The files, by name. Somebody without an address is on the sheet and has no text yet."""
    known = sorted(people, key=lambda one: (one.person.casefold(), one.lab))
    texts = {f"{one.lab}.txt": _text(one) for one in known if one.address}
    return {**texts, "sheet.csv": _csv(known), "sheet.html": _html(roster, known)}


def completed(people: Iterable[Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]]) -> list[Person]:
    """The people, with the address of an earlier run for those whose host did not tell one in this run."""
    result = []
    for one in people:
        known = before.get(one["lab"], {})
        same = known.get("host") == one["host"]
        address = one.get("address") or (known.get("address", "") if same else "")
        result.append(Person(one["person"], one["lab"], one["host"] or "", address, one.get("until") or ""))
    return result


def index_of(people: Iterable[Person]) -> dict[str, dict[str, str]]:
    """What the next run needs to know: by lab."""
    return {one.lab: asdict(one) for one in sorted(people, key=lambda one: one.lab)}


def cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(STARTS_FORMULA) else text


def _text(one: Person) -> str:
    until = f"\nYour lab is there until {one.until}. Your work is kept after that.\n" if one.until else ""
    return TEXT.format(person=one.person, address=one.address, token=one.token, until=until)


def _csv(people: Iterable[Person]) -> str:
    """With the mark by which spreadsheets know UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in people:
        writer.writerow([cell(str(getattr(one, column))) for column in COLUMNS])
    return "\ufeff" + out.getvalue()


def _html(roster: str, people: list[Person]) -> str:
    count = f"{len(people)} {'person' if len(people) == 1 else 'people'}"
    rows = "\n".join(map(_row, people))
    return SHEET.format(title=html.escape(roster), style=STYLE, count=count, rows=rows)


def _row(one: Person) -> str:
    address = html.escape(one.address, quote=True)
    shown = f"<code>{address}</code>" if address else "not running yet"
    if one.address.startswith(("http://", "https://")):
        shown = f'<a href="{address}">{shown}</a>'
    return f"<tr><td>{html.escape(one.person)}</td><td>{shown}</td><td>{html.escape(one.until)}</td></tr>"
