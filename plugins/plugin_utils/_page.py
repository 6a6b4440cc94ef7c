# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet as one HTML page that needs nothing else: no network, no fonts, no files."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from ._status import any_gpus, gpu_names, gpus_of, in_trouble, last_activity, memory_of, state_of, summary

# Name of a column -> its share of the page; a browser need not look at all rows for it.
COLUMNS = {
    "State": 9, "Host": 13, "Lab": 11, "Kernels": 12, "Memory": 10, "GPUs": 8, "Disk": 7, "Last active": 10,
    "Version": 7, "Image": 13, "Drift": 8,
}  # fmt: skip
STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #59636e; --bad: #b42318; --back: #fff; --text: #1f2328;
  --good: #1a7f37; --note: #9a6700; --head: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #9198a1; --bad: #ff8f85; --back: #0d1117;
  --text: #f0f6fc; --good: #56d364; --note: #e3b341; --head: #151b23; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; background: var(--back); color: var(--text);
  font: 14px/1.45 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.4rem; } .sum { margin: .2rem 0 1rem; color: var(--soft); }
form { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; align-items: center; margin-bottom: 1rem; }
input[type=search] { flex: 1 1 16rem; padding: .45rem .6rem; font: inherit; color: inherit; background: var(--back);
  border: 1px solid var(--line); border-radius: .4rem; }
ul.hosts { margin: 0 0 1rem; padding: .6rem 1rem; list-style: none; background: var(--head);
  border-left: 4px solid var(--bad); }
table { width: 100%; table-layout: fixed; border-collapse: collapse; }
th { text-align: left; position: sticky; top: 0; background: var(--head); }
th button { all: unset; cursor: pointer; padding: .5rem .2rem .5rem .6rem; font-weight: 600; white-space: nowrap; }
th button:focus-visible { outline: 2px solid currentColor; }
th[aria-sort=ascending] button::after { content: " \\2191"; content: " \\2191" / ""; }
th[aria-sort=descending] button::after { content: " \\2193"; content: " \\2193" / ""; }
td { padding: .4rem .6rem; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }
.good::before { content: "\\2713  "; } .good { color: var(--good); } .bad::before { content: "\\2717  "; }
.bad { color: var(--bad); font-weight: 600; } .note { color: var(--note); }
tr[hidden] { display: none; }
@media (max-width: 50rem) {
  body { padding: 1rem; } table, thead, tbody { display: block; } th { position: static; background: none; }
  thead tr { display: flex; flex-wrap: wrap; margin-bottom: .7rem; } th button { padding: .3rem .9rem .3rem 0; }
  tbody tr { display: block; border: 1px solid var(--line); border-radius: .5rem; margin-bottom: .7rem;
    padding: .3rem .2rem; }
  td { display: grid; grid-template-columns: 7.5rem 1fr; border: 0; padding: .15rem .6rem; }
  td::before { content: attr(data-name); color: var(--soft); }
  td.bad::before, td.good::before { content: attr(data-name); font-weight: 400; color: var(--soft); }
}
"""
SCRIPT = """
const body = document.querySelector("tbody"), rows = [...body.rows], text = rows.map(r => r.textContent.toLowerCase());
const find = document.getElementById("find"), trouble = document.getElementById("trouble"),
  busy = document.getElementById("busy"), shown = document.getElementById("shown");
function filter() {
  const words = find.value.toLowerCase().split(/\\s+/).filter(Boolean); let count = 0;
  rows.forEach((row, i) => {
    const fits = words.every(word => text[i].includes(word)) && (!trouble.checked || row.dataset.trouble)
      && (!busy.checked || row.dataset.busy);
    row.hidden = !fits; count += fits;
  });
  shown.textContent = count === rows.length ? "" : count + " of " + rows.length + " shown";
}
for (const box of [find, trouble, busy]) box.addEventListener("input", filter);
document.querySelectorAll("th").forEach((head, column) => head.firstChild.addEventListener("click", () => {
  const up = head.getAttribute("aria-sort") !== "ascending";
  document.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = row => row.cells[column].dataset.key ?? row.cells[column].textContent;
  const order = [...rows].sort((a, b) => key(a).localeCompare(key(b), undefined, { numeric: true }));
  body.append(...(up ? order : order.reverse()));
}));
filter();
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'">
<title>JupyterLabs</title>
<style>{style}</style>
</head>
<body>
<h1>JupyterLabs</h1>
<p class="sum">{summary}. As of {now}.</p>
{hosts}<form onsubmit="return false">
<input type="search" id="find" placeholder="Find a lab, host, image, notebook" aria-label="Find">
<label><input type="checkbox" id="trouble"> in trouble or drifted</label>
<label><input type="checkbox" id="busy"> busy</label>
<span id="shown" role="status"></span>
</form>
<table>
<colgroup>{widths}</colgroup>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<script>{script}</script>
</body>
</html>
"""


def page(status: Mapping[str, Any], now: str) -> str:
    """The page. ``now``: when the fleet was asked, as people read it."""
    columns = {name: width for name, width in COLUMNS.items() if name != "GPUs" or any_gpus(status)}
    return PAGE.format(
        style=STYLE,
        script=SCRIPT,
        summary=_text(summary(status)),
        now=_text(now),
        hosts=_silent(status),
        widths="".join(f'<col style="width: {width}%">' for width in columns.values()),
        head="".join(f"<th scope=col><button type=button>{name}</button></th>" for name in columns),
        rows="\n".join(_row(lab, "GPUs" in columns) for lab in status["labs"]),
    )


def _silent(status: Mapping[str, Any]) -> str:
    items = [
        f"<li><b class=bad>{_text(host['name'])}</b> {_text(host['reason'])}</li>\n"
        for host in status["hosts"]
        if not host["healthy"]
    ]
    return f"<ul class=hosts>\n{''.join(items)}</ul>\n" if items else ""


def _row(lab: Mapping[str, Any], gpus: bool) -> str:
    trouble = in_trouble(lab) or bool(lab["drift"])
    kind = "bad" if in_trouble(lab) else "good" if lab["healthy"] else "note"
    marks = f"{' data-trouble=1' if trouble else ''}{' data-busy=1' if lab['busy'] else ''}"
    size = (lab["work_dir"] or {}).get("size")
    used = (lab["memory"] or {}).get("used")
    cells = [
        _cell("State", _text(state_of(lab)), kind, title=lab["reason"]),
        _cell("Host", _text(lab["host"])),
        _cell("Lab", _link(lab)),
        _cell("Kernels", _kernels(lab), key=len(lab["kernels"])),
        _cell("Memory", _text(memory_of(lab["memory"])), key=used or 0),
        *([_cell("GPUs", _text(gpus_of(lab)), title=gpu_names(lab))] if gpus else []),
        _cell("Disk", "-" if size is None else f"{size / 1e6:.1f} MB", key=size or 0),
        _cell("Last active", _text(last_activity(lab).replace("T", " ")[:16]) or "-"),
        _cell("Version", _text(lab["jupyterlab_version"] or "-")),
        _cell("Image", _text(lab["image"])),
        _cell("Drift", _text(", ".join(sorted(lab["drift"])) or "-"), "note" if lab["drift"] else ""),
    ]
    return f"<tr{marks}>{''.join(cells)}</tr>"


def _cell(column: str, content: str, kind: str = "", key: Any = None, title: str = "") -> str:
    more = f' class="{kind}"' if kind else ""
    more += f' data-key="{key}"' if key is not None else ""
    more += f' title="{_text(title)}"' if title else ""
    return f'<td data-name="{column}"{more}>{content}</td>'


def _link(lab: Mapping[str, Any]) -> str:
    url = str(lab["url"])
    name = _text(lab["name"])
    return f'<a href="{_text(url)}">{name}</a>' if url.startswith(("http://", "https://")) else name


def _kernels(lab: Mapping[str, Any]) -> str:
    notebooks = [
        f"{_text(kernel.get('notebook') or kernel['name'])} ({_text(kernel['state'])})" for kernel in lab["kernels"]
    ]
    return "<br>".join(notebooks) or "-"


def _text(value: Any) -> str:
    return html.escape(str(value), quote=True)
