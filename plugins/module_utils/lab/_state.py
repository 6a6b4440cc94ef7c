# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a host's labs outside of their containers: tokens, what was last declared, and what was before."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from .._errors import InvalidInput, LabError
from ._container import server_config
from ._declared import check_token
from ._lab import Lab, digest, from_label, to_note

CONFIG = "jupyter_server_config.json"


@dataclass(frozen=True)
class StateDir:
    """Where tokens are kept: closed to all but root (or the user who runs the labs)."""

    path: str

    def of(self, lab_name: str) -> str:
        """The directory that one lab sees, read only."""
        return os.path.join(self.path, "labs", lab_name)

    def token(self, lab_name: str) -> str:
        """The lab's token, or '' where it has none yet."""
        with contextlib.suppress(OSError):
            return Path(self.of(lab_name), "token").read_text()
        return ""

    def write(self, lab: Lab, token: str) -> None:
        """Token and server configuration, each complete or not there at all."""
        os.makedirs(self.of(lab.name), exist_ok=True)
        os.chmod(self.path, 0o700)
        try:
            _replace(os.path.join(self.of(lab.name), "token"), token, lab.ids, 0o400)
            config = json.dumps(server_config(lab), indent=1)
            _replace(os.path.join(self.of(lab.name), CONFIG), config, lab.ids, 0o400)
        except OSError as error:
            raise LabError(
                f"{lab.name}: its token could not be given to {lab.owner}: {error.strerror}; become root for this "
                "task, or declare yourself as owner."
            ) from error

    def holds(self, lab: Lab) -> bool:
        """Whether what a lab was given is as it was written. Without a token of its own nothing was given yet."""
        if lab.state == "absent" or not lab.token:
            return True
        with contextlib.suppress(OSError, ValueError):
            config = Path(self.of(lab.name), CONFIG).read_text()
            return self.token(lab.name) == lab.token and json.loads(config) == server_config(lab)
        return False

    def note(self, kind: str, lab: Lab) -> None:
        """Keep what a lab is: as it was last ``declared``, so that drift can be told from it, in ``generations`` as it
        was before its last change, or ``unserved`` until its server was seen. A container's label cannot change.
        """
        os.makedirs(os.path.join(self.path, kind), exist_ok=True)
        os.chmod(self.path, 0o700)
        path = self._note(kind, lab.name)
        if not path.exists() or path.read_text() != to_note(lab):
            _replace(str(path), to_note(lab), (os.geteuid(), os.getegid()), 0o600)

    def noted(self, kind: str, lab_name: str) -> Lab | None:
        """What was kept of a lab, or None where nothing was, or what was is not whole."""
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            return from_label(self._note(kind, lab_name).read_text())
        return None

    def all_noted(self, kind: str) -> list[Lab]:
        kept = (self.noted(kind, path.stem) for path in sorted(Path(self.path, kind).glob("*.json")))
        return [lab for lab in kept if lab]

    def forget_note(self, kind: str, lab_name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._note(kind, lab_name).unlink()

    def _note(self, kind: str, lab_name: str) -> Path:
        return Path(self.path, kind, f"{lab_name}.json")

    def forget(self, lab_name: str) -> None:
        """The token goes too: an ephemeral lab's successor has another."""
        for name in ("token", CONFIG):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.of(lab_name), name))
        with contextlib.suppress(OSError):
            os.rmdir(self.of(lab_name))


def token_for(lab: Lab, state: StateDir) -> str:
    """The token that the lab shall have: given, in a file, the one it has; '' where one is to be made.

    Raises InvalidInput for a token file that is not there or holds no token.
    """
    if lab.token:
        return lab.token
    if not lab.token_file:
        return state.token(lab.name)
    option = f"labs[{lab.name}].token_file"
    try:
        token = Path(lab.token_file).read_text().strip()
    except OSError as error:
        raise InvalidInput(option, lab.token_file, f"cannot be read: {error.strerror}.") from None
    except ValueError:
        raise InvalidInput(option, lab.token_file, "is no text: it should hold the token and nothing else.") from None
    check_token(option, token)
    return token


def new_token() -> str:
    return secrets.token_hex(24)


def token_digest(token: str) -> str:
    return digest(token) if token else ""


def default_state_dir() -> str:
    """Root's, or that of a user who runs labs without root."""
    if os.geteuid() == 0:
        return "/var/lib/myjupyter"
    return os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "myjupyter")


def _replace(path: str, content: str, ids: tuple[int, int], mode: int) -> None:
    temporary = f"{path}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # else the name may be there after a power cut, and nothing in the file
        os.fchmod(file.fileno(), mode)
        os.fchown(file.fileno(), *ids)
    os.replace(temporary, path)
