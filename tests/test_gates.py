"""The gates: every check that a release of this collection has to pass, each a test.

They look at a copy of what git knows or would add, at a path that ends as an installed collection's does,
with a home of its own so that no tool leaves anything in the user's.
"""

from __future__ import annotations

import ast
import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "gates"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# ansible-test fetches this file from a host of its own; where only a package index can be reached, ensurepip serves.
PIP_BOOTSTRAP = "import ensurepip\nensurepip.bootstrap()\n"


# Pythons beside the distribution's, for the tests that ask for several. A version manager's shims answer to every
# name and then refuse, so its real directories take their place.
PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.*/bin"))
SEARCHED = [part for part in os.environ["PATH"].split(":") if not part.endswith("/shims")]
SEARCH = ":".join([str(Path(sys.executable).parent), *SEARCHED, *map(str, PYTHONS)])


def run(*command: str | Path, cwd: Path = ROOT, **environ: str) -> str:
    """The output of ``command``; fails the test with all that was printed when it ends with an error."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PATH": SEARCH, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}", pytrace=False)
    return done.stdout


def files() -> list[str]:
    """The files that git tracks or would add, relative to the checkout."""
    listed = run("git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "-co", "--exclude-standard")
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def pip_settings() -> configparser.ConfigParser:
    """pip's settings as they stand for this user, environment included: ansible-test keeps only HOME and PATH."""
    settings = configparser.ConfigParser(interpolation=None)
    settings["global"] = {"cert": str(SYSTEM_CERTIFICATES)} if SYSTEM_CERTIFICATES.is_file() else {}
    for line in run(sys.executable, "-m", "pip", "config", "list").splitlines():
        name, _sep, value = line.partition("=")
        settings["global"][name.rpartition(".")[2]] = ast.literal_eval(value).replace("\n", "\n  ")
    settings["global"]["quiet"] = "2"
    settings["global"]["cache-dir"] = run(sys.executable, "-m", "pip", "cache", "dir").strip()
    return settings


@pytest.fixture(scope="session")
def home() -> Path:
    """A home directory that holds pip's settings and what ansible-test would fetch."""
    home = CACHE / "home"
    for version in ("24_2", "25_0", "25_2", "25_3"):
        path = home / f".ansible/test/cache/get_pip_{version}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PIP_BOOTSTRAP)
    path = home / ".config/pip/pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as out:
        pip_settings().write(out)
    return home


@pytest.fixture(scope="session")
def collection() -> Path:
    """A copy of the checkout under ansible_collections/; ansible-test's own environments in it are kept."""
    copy = CACHE / "ansible_collections/myjupyter/fleet"
    copy.mkdir(parents=True, exist_ok=True)
    for old in copy.iterdir():
        if old.is_dir() and not old.is_symlink() and old.name != "tests":
            shutil.rmtree(old)
        elif old.name != "tests":
            old.unlink()
    for old in copy.glob("tests/*"):
        if old.name != "output":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name in files():
        if not name.startswith(".collections/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    run("git", "init", "--quiet", cwd=copy)  # else ansible-test asks the checkout's git, which ignores this copy
    return copy


@pytest.fixture(scope="session")
def tarball(collection: Path, home: Path) -> Path:
    """The collection as it would be uploaded."""
    run("ansible-galaxy", "collection", "build", "--force", "--output-path", CACHE, cwd=collection, HOME=str(home))
    return next(CACHE.glob("myjupyter-fleet-*.tar.gz"))


def test_ruff():
    run("ruff", "check", "--no-cache", *(name for name in files() if name.endswith(".py")))


def test_mypy():
    packages = ROOT / ".collections/ansible_collections/myjupyter/fleet/plugins"
    run("mypy", "--cache-dir", ROOT / ".cache/mypy", packages)


@pytest.mark.parametrize("script", ["up", "test", "requirements/install", ".ci/run"])
def test_shell_script_parses(script):
    run("sh", "-n", script)
    assert os.access(ROOT / script, os.X_OK), f"{script} is not executable"


def test_ansible_lint(home):
    run("ansible-lint", "--strict", "--offline", "--nocolor", HOME=str(home))


@pytest.mark.parametrize("playbook", sorted(path.name for path in ROOT.glob("playbooks/*.yml")))
def test_playbook_parses(playbook, home):
    run("ansible-playbook", "--syntax-check", ROOT / "playbooks" / playbook, HOME=str(home))


def test_collection_docs(collection, home):
    run(
        "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs=self",
        "--disallow-unknown-collection-refs",
        ".",
        cwd=collection,
        HOME=str(home),
    )


def test_changelog():
    run("antsibull-changelog", "lint")


@pytest.fixture(scope="session", params=["3.11", "3.13"])
def ansible_test(request) -> Path:
    """ansible-test for this Python and for a newer one, whose ansible-core is newer too."""
    if sys.version_info >= tuple(map(int, request.param.split("."))):
        return Path("ansible-test")
    python = shutil.which(f"python{request.param}", path=SEARCH)
    if not python:
        pytest.skip(f"no python{request.param} on this machine, and a newer ansible-core runs on no older one")
    run(ROOT / "requirements/install", CACHE / request.param, "ansible.txt", PYTHON=python)
    return CACHE / request.param / "bin/ansible-test"


def test_sanity(ansible_test, collection, home):
    said = run(ansible_test, "sanity", "--venv", "--color", "no", cwd=collection, HOME=str(home))
    assert "validate-modules" in said, said


def test_units(ansible_test, collection, home):
    run(ansible_test, "units", "--venv", "--color", "no", cwd=collection, HOME=str(home))


def test_galaxy_importer(tarball, home):
    venv = CACHE / "importer"
    run(ROOT / "requirements/install", venv, "ansible.txt", "importer.txt")
    run(venv / "bin/python", "-m", "galaxy_importer.main", tarball, cwd=CACHE, HOME=str(home))
