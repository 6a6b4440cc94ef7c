# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build prints, as lines for people."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .._errors import masked

LINE = re.compile(r"#(\d+) (.*)")
STEP = re.compile(r"\[(?:[\w.-]+ )?(?:(\d+)/(\d+))?\]? ?(.*)")
OUTPUT = re.compile(r"\d+\.\d+ ?(.*)")
BLAME = re.compile(r"Failed to build `[^`]+`")  # uv names the package, and then tells at length what its build said
DONE = re.compile(r"DONE (\d+\.\d)s")
QUIET = ("[internal]", "[auth]", "sha256:", "transferring ", "naming to ", "writing image", "resolve ", "extracting ")
LAST_LINES = 30


class Progress:
    """Reads BuildKit's plain output line by line. ``titles`` gives a step that contains a text a better name."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        self.titles = dict(titles)
        self.errors: list[str] = []
        self._names: dict[str, str] = {}
        self._output: dict[str, list[str]] = {}
        self._blame: dict[str, str] = {}

    def feed(self, raw: str) -> list[str]:
        """The lines to show for a line of the build; often none."""
        match = LINE.match(raw.rstrip())
        if not match:
            if raw.startswith(("ERROR", "error", "failed", "executor failed")):
                self.errors.append(masked(raw.strip()))
            return []
        step, text = match[1], masked(match[2])
        if text.startswith(QUIET) or not text.strip():
            return []
        if text.startswith("ERROR"):
            self.errors.append(self._failure(step, text))
            return []
        return self._shown(step, text)

    def failure(self) -> str:
        """Why the build ended: the failed step's name and its last words."""
        return self.errors[0] if self.errors else "it ended without saying why"

    def _shown(self, step: str, text: str) -> list[str]:
        done, output = DONE.fullmatch(text), OUTPUT.match(text)
        if text.startswith("["):
            return self._begun(step, text)
        if text == "CACHED":
            return [f"{self._names[step]}: as before"] if self._names.get(step) else []
        if done:
            return [f"{self._names[step]}: {done[1]} s"] if self._names.get(step) and float(done[1]) >= 1 else []
        if output:
            said = self._output.setdefault(step, [])
            said.append(output[1].rstrip())
            del said[:-LAST_LINES]
            blame = BLAME.search(output[1])
            self._blame.update({step: blame[0]} if blame else {})
            return [f"  {output[1].rstrip()}"] if output[1].strip() else []
        return []

    def _begun(self, step: str, text: str) -> list[str]:
        match = STEP.match(text)
        if step in self._names or not match:
            return []
        title = next((masked(title) for part, title in self.titles.items() if part in text), match[3])
        count = f"Step {match[1]}/{match[2]}: " if match[1] and match[2] != "1" else ""
        self._names[step] = "" if match[3].startswith(("FROM ", "COPY --from=")) else f"{count}{title}"
        return [self._names[step]] if self._names[step] else []

    def _failure(self, step: str, text: str) -> str:
        said = [line.strip() for line in self._output.get(step, []) if line.strip()]
        begun = [number for number, line in enumerate(said) if line.startswith(("error:", "E: ", "ERROR:"))]
        told = " / ".join(said[begun[0] :] if begun else said[-3:])
        blame = self._blame.get(step, "")
        told = f"{blame}: {told}" if blame not in told else told
        status = re.search(r"exit code: \d+", text)
        return f"{self._names.get(step) or 'It'}: {told or text}" + (f" ({status[0]})" if told and status else "")
