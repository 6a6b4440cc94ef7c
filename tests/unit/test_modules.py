"""What every module owes its users: documentation, an attribute for check mode, tests, and a main that only wires."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
DOCUMENTED = sorted((ROOT / "plugins/modules").glob("*.py"))
# What an action plugin does by itself has its documentation alone among the modules.
MODULES = [path for path in DOCUMENTED if "def main" in path.read_text()]
FRAGMENTS = "myjupyter.fleet."


def named(path: Path) -> dict[str, str]:
    """The string constants of a module, by name: DOCUMENTATION, EXAMPLES and RETURN are such."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def called(path: Path) -> str:
    """A module as a task names it."""
    return f"myjupyter.fleet.{path.stem}:"


def fragments(documentation: dict) -> dict:
    """The options that the documentation fragments of a module add."""
    found = {}
    for name in documentation.get("extends_documentation_fragment", []):
        path = ROOT / "plugins/doc_fragments" / f"{name.removeprefix(FRAGMENTS).partition('.')[0]}.py"
        body = next(n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ClassDef)).body
        text = next(n.value.value for n in body if isinstance(n, ast.Assign) and n.targets[0].id == "DOCUMENTATION")
        found.update(yaml.safe_load(text).get("options", {}))
    return found


def sentences(options: dict, path: str = "") -> dict[str, object]:
    """The description of every option, suboptions included, by dotted name."""
    found = {}
    for name, about in options.items():
        found[f"{path}{name}"] = about.get("description")
        found.update(sentences(about.get("suboptions") or {}, f"{path}{name}."))
    return found


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.stem)
def test_every_option_is_documented_and_every_example_parses(path):
    said = named(path)
    documentation = yaml.safe_load(said["DOCUMENTATION"])
    assert documentation["module"] == path.stem
    options = {**documentation.get("options", {}), **fragments(documentation)}
    assert not [name for name, description in sentences(options).items() if not description]
    assert yaml.safe_load(said["RETURN"])
    tasks = yaml.safe_load(said["EXAMPLES"])
    assert any(f"myjupyter.fleet.{path.stem}" in task for task in tasks)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_main_only_wires(path):
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    main = next(node for node in functions if node.name == "main")
    assert main.end_lineno - main.lineno < 40


@pytest.mark.skipif(not (ROOT / "tests/integration").is_dir(), reason="the integration tests are not part of this copy")
@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.stem)
def test_a_real_engine_tests_it(path):
    tests = "".join(test.read_text() for test in (ROOT / "tests/integration").glob("*.py"))
    roles = [task.parent.parent.name for task in ROOT.glob("roles/*/tasks/*.yml") if called(path) in task.read_text()]
    assert any(f'"{name}"' in tests or f"myjupyter.fleet.{name}" in tests for name in {*roles, path.stem})


def test_a_module_without_code_has_an_action_that_never_sends_it():
    for path in set(DOCUMENTED) - set(MODULES):
        action = (ROOT / "plugins/action" / path.name).read_text()
        assert "validate_argument_spec" in action and "_execute_module" not in action


def test_module_defaults_reach_every_module_that_takes_an_engine():
    groups = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]
    takers = [path for path in DOCUMENTED if "docker_host" in fragments(yaml.safe_load(named(path)["DOCUMENTATION"]))]
    assert set(groups["fleet"]) == {path.stem for path in takers}
