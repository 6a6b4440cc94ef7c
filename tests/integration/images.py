"""What the tests of images share: a name of their own that leaves nothing behind, and looking into an image."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

from tests import ROOT
from tests.conftest import ModuleFailed


class Images:
    """The images of one test."""

    def __init__(self, engine, run_module, base):
        self.engine, self._run, self.base = engine, run_module, base
        self.name = f"myjupyter-test-{secrets.token_hex(4)}"

    def image(self, check=False, **options):
        return self._run("image", check=check, **{"name": self.name, "base": self.base, **options})

    def twice(self, **options):
        """The four results of a change: in a check and for real, and both again; says whether they agree."""
        foreseen = self.image(check=True, **options)
        done = self.image(**options)
        assert foreseen["changed"] and done["changed"]
        assert foreseen["steps"] == done["steps"]
        assert foreseen["packages"] == done["packages"]
        for check in (True, False):
            again = self.image(check=check, **options)
            assert not again["changed"], again["steps"]
            assert again["steps"] == []
            assert again["diff"]["before"] == again["diff"]["after"]
        return done

    def run(self, command, name=""):
        """What a shell command prints in the image."""
        container = self.engine.create_container(name or self.name, ["-c", command], entrypoint=["/bin/sh"])["Id"]
        try:
            self.engine.start(container)
            status = self.engine.wait(container)["StatusCode"]
            printed = self.engine.logs(container).decode()
        finally:
            self.engine.remove_container(container, force=True)
        assert status == 0, printed
        return printed.strip()

    def inspect(self, name=""):
        return self.engine.inspect_image(name or self.name)

    def ids(self):
        return {item["Id"] for item in self.engine.images(self.name)}

    def clean(self):
        """Take away all names that begin with the test's; an image that has others stays."""
        for item in self.engine.containers(all=True, filters={"name": self.name}):
            self.engine.remove_container(item["Id"], force=True, v=True)
        for item in self.engine.images(filters={"reference": f"{self.name}*"}):
            for name in item["RepoTags"] or []:
                if name.startswith(self.name):
                    self.engine.remove_image(name)


def save(path, *names):
    """Write images to an archive."""
    subprocess.run(["docker", "save", "--output", path, *names], check=True)


def action(plugin, check=False, python=sys.executable, **options):
    """The result of an action plugin on this machine, and all that Ansible said beside it."""
    done = subprocess.run(
        [
            Path(sys.executable).parent / "ansible", "localhost", "-m", f"myjupyter.fleet.{plugin}",
            "-a", json.dumps(options), "-e", f"ansible_python_interpreter={python}", *(["--check"] if check else []),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert "=> {" in done.stdout, done.stdout + done.stderr
    result = json.loads(done.stdout[done.stdout.index("=> {") + 3 :])
    if done.returncode:
        raise ModuleFailed(result)
    return {**result, "said": " ".join(done.stderr.split())}
