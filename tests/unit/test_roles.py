"""What every role owes its users: one table of options, said the same in three places."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

ROOT = Path(__file__).parent.parent.parent
ROLES = sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir())


def load(path: Path):
    return yaml.safe_load(path.read_text()) if path.exists() else {}


def main_spec(role: Path) -> dict:
    return load(role / "meta/argument_specs.yml")["argument_specs"]["main"]


def undescribed(options: dict, path: str = "") -> list[str]:
    """The options without a description, suboptions included, by dotted name."""
    missing = [f"{path}{name}" for name, about in options.items() if not about.get("description")]
    for name, about in options.items():
        missing += undescribed(about.get("options") or {}, f"{path}{name}.")
    return missing


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_options_are_the_defaults(role):
    options, defaults = main_spec(role).get("options", {}), load(role / "defaults/main.yml") or {}
    needed = {name for name, about in options.items() if about.get("required")}
    assert set(options) - needed == set(defaults)
    said = {name: about["default"] for name, about in options.items() if "default" in about}
    assert said == {name: value for name, value in defaults.items() if name in said}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_option_is_described_and_named_after_the_role(role):
    spec = main_spec(role)
    assert spec["short_description"]
    assert not undescribed(spec.get("options", {}))
    assert not [name for name in spec.get("options", {}) if not name.startswith(role.name)]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_default_has_a_line_that_says_what_it_is_for(role):
    path = role / "defaults/main.yml"
    lines = path.read_text().splitlines() if path.exists() else []
    bare = [
        line
        for before, line in zip([""] + lines, lines)
        if re.match(r"\w+:", line) and not before.startswith("#") and " # " not in line
    ]
    assert not bare


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_readme_names_every_option_and_runs(role):
    text = (role / "README.md").read_text()
    assert not [name for name in main_spec(role).get("options", {}) if name not in text]
    examples = re.findall(r"^```ya?ml\n(.*?)^```", text, re.M | re.S)
    assert any(f"myjupyter.fleet.{role.name}" in example for example in examples)
    assert all(yaml.safe_load(example) for example in examples)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_no_logic_is_kept_in_facts(role):
    words = r"^\s*(?:-\s*)?(?:ansible\.builtin\.)?(set_fact|ignore_errors|retries)\s*:"
    found = [
        f"{path.relative_to(role)}: {match}"
        for path in role.glob("**/*.yml")
        for match in re.findall(words, path.read_text(), re.M)
    ]
    assert not found


@pytest.mark.parametrize(("version", "held"), [("", False), ("27.3", True), (27.3, True), (27, True)])
def test_the_version_of_the_engine_may_be_a_number(version, held):
    default = load(ROOT / "roles/docker_engine/defaults/main.yml")["docker_engine_hold"]
    assert NativeEnvironment().from_string(default).render(docker_engine_version=version) is held
