# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A roster, from the bytes of its file to people with labs; every mistake one sentence, with file and line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._declared import (
    NAME,
    SMALLEST_CPUS,
    SMALLEST_MEMORY,
    bytes_of,
)

COLUMNS = ("person", "group", "image", "memory", "cpus", "gpus", "until", "lab")
ALIASES = {"gpu": "gpus"}
TABLES, LISTS = (".csv", ".tsv", ".txt"), (".yml", ".yaml", ".json")
DELIMITERS = ",;\t"
DATES = ("%Y-%m-%d", "%d.%m.%Y")
LONGEST_NAME = 63  # of a container that is also a host name
NO_LIST = "{} line {}: should be a list with an item for each person."
Item = object  # of a list: a scalar (None for an empty one), pairs of them in a tuple, or a list for what is neither
# Letters that do not come apart into a plain one and a mark, and those that people write otherwise.
LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d",
     "þ": "th", "ı": "i"}
)  # fmt: skip


class WrongRoster(ValueError):
    """A roster that cannot be meant: one sentence for each mistake, one a line."""


@dataclass(frozen=True)
class Row:
    """A person as the file has it: the values by column, and where that is."""

    line: int
    values: Mapping[str, str]


def read(raw: bytes, file: str, prefix: str = "") -> list[dict[str, Any]]:
    """The people of a roster. ``file``: its name, whose ending tells what it is; ``prefix`` goes before every lab.

    Raises WrongRoster with all mistakes.
    """
    ending = f".{file.rpartition('.')[2].lower()}"
    if ending not in (*TABLES, *LISTS):
        raise WrongRoster(f"{file}: should end in .csv, .yml or .yaml; a spreadsheet saves one as CSV (UTF-8).")
    text = _decoded(raw, file)
    rows = list(_table(text, file) if ending in TABLES else _list(text, file))
    if not rows:
        raise WrongRoster(f"{file}: names nobody: give it a heading (person, ...) and a line for each person.")
    mistakes: list[str] = []
    people = [_person(row, f"{file} line {row.line}", prefix, mistakes) for row in rows]
    _note_twins(people, mistakes)
    if mistakes:
        raise WrongRoster("\n".join(mistakes))
    return people


def name_of(file: str) -> str:
    """The roster's own name, from that of its file."""
    last = file.replace("\\", "/").rpartition("/")[2]
    return lab_name(last.rpartition(".")[0] or last)


def lab_name(person: str, prefix: str = "") -> str:
    """The name of a person's lab: the same for the same person, whoever else is there.

    Letters without a Latin counterpart, and what is too long or too short, are told apart by a digest of the whole.
    """
    text = unicodedata.normalize("NFC", person).lower().translate(LETTERS)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    lost = any(letter.isalnum() and not letter.isascii() for letter in plain)
    name = re.sub(r"[^a-z0-9._]+", "-", plain).strip("-._")
    if lost or not name or not 1 < len(prefix + name) <= LONGEST_NAME:
        digest = hashlib.sha256(unicodedata.normalize("NFC", person).casefold().encode()).hexdigest()[:8]
        room = LONGEST_NAME - len(prefix) - len(digest) - 1
        name = f"{name[:room].rstrip('-._')}-{digest}".lstrip("-")
    return prefix + name


def size_told(size: int) -> str:
    """Bytes as people write them: 4g, 512m."""
    for unit, letter in ((1024**3, "g"), (1024**2, "m")):
        if abs(size) >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + letter
    return str(size)


def _decoded(raw: bytes, file: str) -> str:
    """UTF-8 with or without its mark, or UTF-16 with it, as spreadsheets write them."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise WrongRoster(f"{file} line {line}: is not UTF-8: save it again as CSV (UTF-8).") from None
    if "\0" in text:
        raise WrongRoster(f"{file}: is no text: save it as CSV (UTF-8).")
    return text


def _table(text: str, file: str) -> Iterator[Row]:
    """The rows of a CSV file, whatever separates its cells."""
    lines = text.splitlines()
    heading = next((line for line in lines if line.strip()), "")
    # What some spreadsheets put first. A tabulator is no space here.
    told = re.fullmatch(r'sep=([^"])', heading.strip(" \r\n\ufeff"), re.IGNORECASE)
    delimiter = told.group(1) if told else max(DELIMITERS, key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    line = 1
    try:
        for cells in reader:
            begun, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if told:
                told = None
            elif not columns:
                columns = _columns(cells, f"{file} line {begun}")
            elif any(cell.strip() for cell in cells[len(columns) :]):
                raise WrongRoster(
                    f"{file} line {begun}: has {len(cells)} cells where the heading has {len(columns)}: "
                    f'put "quotes" around a cell with {delimiter!r} in it.'
                )
            else:
                yield Row(begun, {key: cell.strip() for key, cell in zip(columns, cells) if key})
    except csv.Error as error:
        raise WrongRoster(f"{file} line {line}: cannot be read as CSV ({error}).") from None


def _columns(cells: list[str], at: str) -> list[str]:
    columns = _named(cells, at)
    if "person" not in columns:
        raise WrongRoster(f"{at}: a heading with the column 'person' is missing.")
    return columns


def _named(headings: Iterable[str], at: str) -> list[str]:
    """The columns that are meant, each once; empty for one without a heading."""
    columns = [_column(heading, at) for heading in headings]
    for name in columns:
        if name and columns.count(name) > 1:
            raise WrongRoster(f"{at}: the column {name!r} is there twice.")
    return columns


def _column(text: str, at: str) -> str:
    name = text.strip().lower()
    name = ALIASES.get(name, name)
    if name and name not in COLUMNS:
        raise WrongRoster(f"{at}: the column {text.strip()!r} is unknown: {', '.join(COLUMNS)}.")
    return name


def _list(text: str, file: str) -> Iterator[Row]:
    """The people of a YAML or JSON file: a list of mappings, or of names."""
    read_items = _items_of_json if file.lower().endswith(".json") else _items_of_yaml
    for line, item in read_items(text, file):
        at = f"{file} line {line}"
        pairs = item if isinstance(item, tuple) else (("person", item),)
        if any(isinstance(part, (list, tuple)) for pair in pairs for part in pair):
            raise WrongRoster(f"{at}: should be a person's name, or person: ... with {', '.join(COLUMNS[1:])}.")
        names = _named([_said(key) for key, _value in pairs], at)
        yield Row(line, {name: _said(value) for name, (_key, value) in zip(names, pairs)})


def _said(value: object) -> str:
    return "" if value is None else str(value).strip()


def _items_of_yaml(text: str, file: str) -> Iterator[tuple[int, Item]]:
    try:
        top = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise WrongRoster(f"{file} line {line}: cannot be read as YAML ({error.problem}).") from None
    except yaml.YAMLError as error:
        raise WrongRoster(f"{file}: cannot be read as YAML ({error}).") from None
    if top is None:
        return
    if not isinstance(top, yaml.SequenceNode):
        raise WrongRoster(NO_LIST.format(file, top.start_mark.line + 1))
    for node in top.value:
        mapping = isinstance(node, yaml.MappingNode)
        item = tuple((_scalar(key), _scalar(value)) for key, value in node.value) if mapping else _scalar(node)
        yield node.start_mark.line + 1, item


def _scalar(node: yaml.Node) -> Item:
    """A value as it is written; an empty list for what is no scalar."""
    if not isinstance(node, yaml.ScalarNode):
        return []
    return None if node.tag == "tag:yaml.org,2002:null" else str(node.value)


def _items_of_json(text: str, file: str) -> Iterator[tuple[int, Item]]:
    """JSON is not read as YAML, which takes neither tabulators nor pairs of surrogates."""
    decoder = json.JSONDecoder(object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=str)
    try:
        top = decoder.decode(text if text.strip() else "[]")
    except json.JSONDecodeError as error:
        raise WrongRoster(f"{file} line {error.lineno}: cannot be read as JSON ({error.msg}).") from None
    if not isinstance(top, list):
        raise WrongRoster(NO_LIST.format(file, 1))
    end = text.find("[") + 1
    line = text.count("\n", 0, end) + 1
    for _item in top:  # once more, as only so it is known where each of them is
        begin = re.compile(r"[\s,]*").match(text, end).end()  # type: ignore[union-attr]
        line += text.count("\n", end, begin)
        item, end = decoder.raw_decode(text, begin)
        yield line, item
        line += text.count("\n", begin, end)


def _person(row: Row, at: str, prefix: str, mistakes: list[str]) -> dict[str, Any]:
    """A person with all values in their own kind; what cannot be meant is noted."""
    said = row.values
    person = unicodedata.normalize("NFC", " ".join(said.get("person", "").split()))
    if not person:
        mistakes.append(f"{at}: the person is missing.")
    lab = said.get("lab") or lab_name(person, prefix)
    if not NAME.fullmatch(lab) or lab.endswith((".previous", ".next")):
        mistakes.append(
            f"{at}: lab {lab!r} is no name for a container: letters, digits, '_', '.', '-', 2 to 63, the first a "
            "letter or a digit."
        )
    return {
        "person": person,
        "lab": lab,
        "at": at,
        "group": said.get("group", ""),
        "image": _image(said.get("image", ""), at, mistakes),
        "memory": _memory(said.get("memory", ""), at, mistakes),
        "cpus": _cpus(said.get("cpus", ""), at, mistakes),
        "gpus": _gpus(said.get("gpus", ""), at, mistakes),
        "until": _until(said.get("until", ""), at, mistakes),
    }


def _image(text: str, at: str, mistakes: list[str]) -> str:
    if " " in text:
        mistakes.append(f"{at}: image {text!r} should be one word without spaces.")
    return text


def _memory(text: str, at: str, mistakes: list[str]) -> int | None:
    if not text:
        return None
    size = bytes_of(_with_point(text))
    if size < SMALLEST_MEMORY:
        mistakes.append(f"{at}: memory {text!r} should be a size such as 512m or 4g.")
    return size


def _cpus(text: str, at: str, mistakes: list[str]) -> float | None:
    if not text:
        return None
    plain = _with_point(text)
    if not re.fullmatch(r"\d{1,5}(\.\d{1,9})?", plain) or float(plain) < SMALLEST_CPUS:
        mistakes.append(f"{at}: cpus {text!r} should be a number such as 1.5, at least {SMALLEST_CPUS}.")
        return None
    return float(plain)


def _with_point(text: str) -> str:
    """A number in the form of programs: a spreadsheet that separates cells by semicolons writes a decimal comma.

    Three digits after it may be thousands as well; such a number stays as it is, and is none.
    """
    return re.sub(r",(?!\d{3}(?!\d))", ".", text)


def _gpus(text: str, at: str, mistakes: list[str]) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,3}", text):
        mistakes.append(f"{at}: gpus {text!r} should be how many GPUs the lab has for itself, such as 1.")
        return None
    return int(text)


def _until(text: str, at: str, mistakes: list[str]) -> str:
    """The last day, in the order in which days sort."""
    for shape in DATES if text else ():
        try:
            return datetime.strptime(text, shape).date().isoformat()
        except ValueError:
            continue
    if text:
        mistakes.append(f"{at}: until {text!r} should be the last day, such as 2026-12-31 or 31.12.2026.")
    return ""


def _note_twins(people: list[dict[str, Any]], mistakes: list[str]) -> None:
    seen: dict[str, dict[str, Any]] = {}
    for one in people:
        other = seen.setdefault(one["lab"].lower(), one)
        if other is one or not one["person"]:
            continue
        line = other["at"].rpartition(" ")[2]
        if other["person"].casefold() == one["person"].casefold():
            mistakes.append(f"{one['at']}: {one['person']!r} is there already, in line {line}.")
        else:
            mistakes.append(
                f"{one['at']}: {one['person']!r} becomes the lab {one['lab']}, as {other['person']!r} of line {line} "
                "does: name one of them in a column 'lab'."
            )
