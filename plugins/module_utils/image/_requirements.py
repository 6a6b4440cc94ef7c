# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of requirements: what pip and uv would take, checked before anything is built.

Follows the specifications of dependency specifiers and of versions at packaging.python.org.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from .._errors import InvalidInput

NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
VERSION = (
    r"v?(?:\d+!)?\d+(?:\.\d+)*(?:[-_.]?(?:alpha|a|beta|b|preview|pre|c|rc)[-_.]?\d*)?"
    r"(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?dev[-_.]?\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?"
)
HEAD = re.compile(rf"({NAME})\s*(?:\[([^\]]*)\])?\s*")
CLAUSE = re.compile(rf"\s*(===|~=|==|!=|<=|>=|<|>)\s*({VERSION}(?:\.\*)?|\S+)\s*", re.IGNORECASE | re.ASCII)
TWO_PARTS = re.compile(r"v?(?:\d+!)?\d+\.\d", re.IGNORECASE | re.ASCII)
WHOLE_VERSION = re.compile(VERSION, re.IGNORECASE | re.ASCII)
# What may be followed by .* in a specifier.
RELEASE = re.compile(r"v?(?:\d+!)?\d+(?:\.\d+)*", re.IGNORECASE | re.ASCII)
URL = re.compile(r"(https?|git\+https?|git\+ssh)://\S+$")
HASH = re.compile(r"\s--hash(?:=|\s+)(['\"]?)(sha(?:256|384|512):[0-9a-f]+)\1(?=\s|$)", re.IGNORECASE)
OPTION = re.compile(r"\s(--?[A-Za-z][\w-]*)")
MARKER_TOKEN = re.compile(r"\s*(\(|\)|===|~=|==|!=|<=|>=|<|>|not\s+in\b|[\w.]+|'[^'\\]*'|\"[^\"\\]*\")")
MARKER_NAMES = frozenset({
    "extra", "implementation_name", "implementation_version", "os_name", "platform_machine",
    "platform_python_implementation", "platform_release", "platform_system", "platform_version",
    "python_full_version", "python_version", "sys_platform",
})  # fmt: skip
# How a marker's variables were written before they were specified; pip takes them still.
OLD_MARKER_NAMES = {
    "os.name": "os_name", "sys.platform": "sys_platform", "platform.version": "platform_version",
    "platform.machine": "platform_machine", "platform.python_implementation": "platform_python_implementation",
    "python_implementation": "platform_python_implementation",
}  # fmt: skip
COMPARISONS = frozenset(["===", "~=", "==", "!=", "<=", ">=", "<", ">", "in", "not in"])
VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
COMMENT = re.compile(r"(?:^|\s+)#.*$")
# What ends so is a file for pip, never a package of an index.
LOCAL_FILE = re.compile(r"\.(?:whl|zip|tgz|tar\.(?:gz|bz2|xz)|txt)$", re.IGNORECASE)
EXAMPLE = "is no requirement: write a name and what it may be, such as pandas>=2.2,<3"

# What a line may say instead of naming a package, and how many values it takes.
INDEX_OPTIONS = {"-i": "index_url", "--index-url": "index_url", "--extra-index-url": "extra_index_urls"}
FILE_OPTIONS = ("-r", "--requirement", "-c", "--constraint")
FORMAT_OPTIONS = ("--no-binary", "--only-binary")
REFUSED_OPTIONS = {
    "-e": "an editable install has no place in an image: name a released package or NAME @ URL",
    "--editable": "an editable install has no place in an image: name a released package or NAME @ URL",
    "-f": "use an index: --extra-index-url URL",
    "--find-links": "use an index: --extra-index-url URL",
    "--no-index": "without an index nothing can be resolved: name one with --index-url",
    "--trusted-host": "trust it by its certificate: the option ca_bundle",
}


@dataclass(frozen=True)
class Requirements:
    """What is asked for. ``lines`` and ``constraints`` are in normal form and sorted; the rest goes to the resolver.

    ``hashes`` holds (name, digests) of the packages that must be exactly such files. ``prerelease``: any
    package may be a pre-release. ``no_binary`` and ``only_binary`` name packages, or are (":all:",).
    """

    lines: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    hashes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    prerelease: bool = False
    no_binary: tuple[str, ...] = ()
    only_binary: tuple[str, ...] = ()

    def __add__(self, other: Requirements) -> Requirements:
        return Requirements(
            lines=_merged(self.lines, other.lines),
            constraints=_merged(self.constraints, other.constraints),
            hashes=_united(self.hashes, other.hashes),
            index_url=self.index_url or other.index_url,
            extra_index_urls=tuple(dict.fromkeys(self.extra_index_urls + other.extra_index_urls)),
            prerelease=self.prerelease or other.prerelease,
            no_binary=_merged(self.no_binary, other.no_binary),
            only_binary=_merged(self.only_binary, other.only_binary),
        )


def parse(text: str, source: str, read: Callable[[str], str | None] | None = None) -> Requirements:
    """The requirements in ``text``; ``source`` names it in messages, ``read(path)`` gives the files of -r and -c.

    Raises InvalidInput with the source, the line's number, the line, and what would be right.
    """
    return _parse(text, source, read or (lambda path: None), ())


def as_constraints(found: Requirements) -> Requirements:
    """What a file of constraints says: the same of packages that something else asks for."""
    return replace(found, lines=(), constraints=_merged(found.constraints, found.lines))


def canonical(name: str) -> str:
    """A distribution's name as an index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(line: str) -> str:
    """The canonical name in a requirement in normal form."""
    return canonical(re.match(NAME, line)[0])  # type: ignore[index]


def normal(requirement: str) -> str:
    """A requirement in its normal form. Raises ValueError with what is wrong, to be read after the requirement."""
    head = HEAD.match(requirement)
    if not head or re.match(r"[\w.+-]*[:/]", requirement):
        raise ValueError(_hint(requirement))
    name, extras = canonical(head[1]), _extras(head[2])
    rest = requirement[head.end() :]
    if LOCAL_FILE.search(head[1]) and not rest.startswith("@"):
        raise ValueError(_hint(requirement))
    if rest.startswith("@"):
        url, marker = _url(rest[1:].strip())
        return f"{name}{extras} @ {url}" + (f" ; {marker}" if marker else "")
    specifier, _semicolon, marker = rest.partition(";")
    return f"{name}{extras}{_specifier(specifier.strip())}" + (f" ; {_marker(marker)}" if _semicolon else "")


def _parse(text: str, source: str, read: Callable[[str], str | None], within: tuple[str, ...]) -> Requirements:
    found = Requirements()
    for number, line in _logical(text):
        where = f"{source} line {number}"
        try:
            if VARIABLE.search(line):
                raise ValueError("has a variable, which nothing replaces here: write what it stands for")
            if line.startswith("-"):
                for name, value in _options(line):
                    more = _option(name, value, source, read, (*within, source))
                    # Of several indexes the last one counts, as for pip.
                    found = replace(found + more, index_url=more.index_url or found.index_url)
            else:
                found += _requirement(line)
        except ValueError as error:
            raise InvalidInput(where, line, f"{error}.") from error
    return found


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines joined where they end with a backslash, then without comments, as by pip; each with its first line's
    number. A line that is a comment ends what is joined."""
    joined, start = "", 0
    for number, line in enumerate(text.lstrip("\ufeff").splitlines() + [""], 1):
        start = start if joined else number
        if line.endswith("\\") and not COMMENT.match(line):
            joined += line.strip("\\")
            continue
        whole = COMMENT.sub("", f"{joined} {line}" if COMMENT.match(line) else joined + line).strip()
        joined = ""
        if whole:
            yield start, whole


def _requirement(line: str) -> Requirements:
    digests = tuple(sorted(match[2].lower() for match in HASH.finditer(line)))
    bare = HASH.sub("", line).strip()
    option = OPTION.search(bare)
    if option and option[1] == "--hash":
        raise ValueError("has a hash that is none: it is written --hash=sha256:..., with hexadecimal digits")
    if option:
        raise ValueError(f"has the option {option[1]!r}, which is not supported")
    form = normal(bare)
    return Requirements(lines=(form,), hashes=((name_of(form), digests),) if digests else ())


def _option(
    name: str, value: str, source: str, read: Callable[[str], str | None], within: tuple[str, ...]
) -> Requirements:
    if name in INDEX_OPTIONS:
        if not re.match(r"https?://\S+$", value):
            raise ValueError("wants an address that a build can reach, such as https://pypi.example.org/simple")
        field = INDEX_OPTIONS[name]
        return Requirements(index_url=value) if field == "index_url" else Requirements(extra_index_urls=(value,))
    if name == "--pre" and not value:
        return Requirements(prerelease=True)
    if name in FORMAT_OPTIONS:
        parts = [part for part in re.split(r"[,\s]+", value) if part]
        if not parts:
            raise ValueError("wants names after it, such as numpy,scipy, or :all:")
        names = tuple(sorted(part if part == ":all:" else canonical(part) for part in parts))
        return Requirements(no_binary=names) if name == "--no-binary" else Requirements(only_binary=names)
    if name in FILE_OPTIONS:
        return _included(name, value, source, read, within)
    raise ValueError(REFUSED_OPTIONS.get(name, f"has the option {name!r}, which is not supported"))


def _included(
    name: str, path: str, source: str, read: Callable[[str], str | None], within: tuple[str, ...]
) -> Requirements:
    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if file in within:
        raise ValueError(f"includes {file}, which includes this file")
    text = read(file)
    if text is None:
        raise ValueError(
            "names a file that is not there: write its lines here, or give the directory of both as `path`"
        )
    found = _parse(text, file, read, within)
    if name in ("-r", "--requirement"):
        return found
    return as_constraints(found)


def _options(line: str) -> Iterator[tuple[str, str]]:
    """The options of a line, each with its value; empty for one that takes none."""
    words = shlex.split(line)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            raise ValueError(f"has {word!r}, which belongs to no option")
        name, equals, value = word.partition("=")
        if re.match(r"-[irecf].", name):
            name, equals, value = word[:2], "=", word[2:].lstrip("=")
        if not equals and name in (*INDEX_OPTIONS, *FILE_OPTIONS, *FORMAT_OPTIONS) and words:
            value = words.pop(0)
        yield name, value


def _hint(text: str) -> str:
    if text.startswith((".", "/", "~")) or re.search(r":/|/$", text):
        return "wants its name before the address, such as NAME @ https://..., and an address that a build can reach"
    if text.lower().endswith(".txt"):
        return f"is the name of a file: write -r {text}"
    if LOCAL_FILE.search(text):
        return "is a file, which a build cannot reach: write NAME @ https://... and its address"
    return EXAMPLE


def _extras(text: str | None) -> str:
    if text is None:
        return ""
    names = [part.strip() for part in text.split(",")] if text.strip() else []
    for name in names:
        if not re.fullmatch(NAME, name):
            raise ValueError(f"has the extra {name!r}, which is no name")
    return f"[{','.join(sorted({canonical(name) for name in names}))}]" if names else ""


def _url(text: str) -> tuple[str, str]:
    url, rest = re.findall(r"^(\S*)\s*(.*)$", text)[0]
    if not URL.match(url) or url.endswith(";"):
        raise ValueError(
            f"has the address {url!r}; a build can reach https://... and git+https://... (a space before ';')"
        )
    if rest and not rest.startswith(";"):
        raise ValueError(f"has {rest!r} after its address")
    return url, _marker(rest[1:]) if rest else ""


def _specifier(text: str) -> str:
    if not text:
        return ""
    inner = text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text
    return ",".join(sorted(_clause(part, text) for part in re.sub(r"\s*,\s*$", "", inner).split(",")))


def _clause(text: str, whole: str) -> str:
    match = CLAUSE.fullmatch(text)
    if not match:
        if re.match(r"\s*(=>|=<)", text):
            raise ValueError(f"has {text.strip()[:2]!r}; it is written {text.strip()[1::-1]!r}")
        if re.match(r"\s*=[^=]", text):
            raise ValueError("has a single '='; a version is pinned with '=='")
        if len(re.findall(r"[<>=!~]=?=?\s*[\w.]+", text)) > 1:
            raise ValueError(f"wants a comma between the parts of {text.strip()!r}")
        raise ValueError(f"has {whole!r} after its name, where a version such as >=2.2,<3 is expected")
    operator, version = match[1], match[2]
    if operator == "===":
        return f"==={version}"
    plain = version[:-2] if version.endswith(".*") else version
    exact = operator in ("==", "!=")
    if (
        not WHOLE_VERSION.fullmatch(plain)
        or (plain != version and not (exact and RELEASE.fullmatch(plain)))
        or ("+" in plain and not exact)
    ):
        raise ValueError(f"has {version!r}, which is no version that can follow {operator!r}")
    if operator == "~=" and not TWO_PARTS.match(plain):
        raise ValueError(f"has '~={version}', which needs two parts, such as ~={version}.0")
    return f"{operator}{version.lower()}"


def _marker(text: str) -> str:
    tokens, position = [], 0
    while text[position:].strip():
        match = MARKER_TOKEN.match(text, position)
        if not match:
            raise ValueError(f"has the marker {text.strip()!r}, which makes no sense at {text[position:].strip()!r}")
        token = re.sub(r"\s+", " ", match[1])
        tokens.append(OLD_MARKER_NAMES.get(token, token))
        position = match.end()
    rest = _or(tokens, text)
    if rest:
        raise ValueError(f"has the marker {text.strip()!r}, which makes no sense at {rest[0]!r}")
    return " ".join(f'"{token[1:-1]}"' if token[0] == "'" and '"' not in token else token for token in tokens)


def _or(tokens: list[str], text: str) -> list[str]:
    """The tokens left after an expression of markers."""
    rest = _term(tokens, text)
    while rest and rest[0] in ("and", "or"):
        rest = _term(rest[1:], text)
    return rest


def _term(tokens: list[str], text: str) -> list[str]:
    if tokens and tokens[0] == "(":
        rest = _or(tokens[1:], text)
        if not rest or rest[0] != ")":
            raise ValueError(f"has the marker {text.strip()!r}, which lacks a ')'")
        return rest[1:]
    if len(tokens) < 3 or tokens[1] not in COMPARISONS:
        raise ValueError(f'has the marker {text.strip()!r}; one reads python_version < "3.12"')
    for token in (tokens[0], tokens[2]):
        if token[0] not in "'\"" and token not in MARKER_NAMES:
            raise ValueError(f"has the marker {text.strip()!r}, where {token!r} is neither a known variable nor quoted")
    return tokens[3:]


def _merged(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*first, *second}))


def _united(
    first: tuple[tuple[str, tuple[str, ...]], ...], second: tuple[tuple[str, tuple[str, ...]], ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Digests by name: a package that stands twice, for two Pythons, may be what either line says."""
    found = dict(first)
    for name, digests in second:
        found[name] = _merged(found.get(name, ()), digests)
    return tuple(sorted(found.items()))
