"""The module `image` against a real engine: its states, what it keeps and removes, and what it says."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.conftest import ModuleFailed
from tests.integration.images import action


def test_create_modify_recreate_delete(images):
    made = images.twice(requirements=["cowsay==6.0"])
    assert made["steps"] == [f"build {images.name}:latest"]
    assert made["packages"]["added"] == ["cowsay==6.0"]
    assert made["image"]["packages"]["cowsay"] == "6.0"
    assert images.run("python -c 'import cowsay; print(cowsay.__version__)'") == "6.0"

    changed = images.twice(requirements=["cowsay==6.1", "humanize==4.9.0"])
    assert changed["packages"] == {"added": ["humanize==4.9.0"], "removed": [], "changed": ["cowsay: 6.0 -> 6.1"]}
    assert "cowsay==6.0" in changed["diff"]["before"]["packages"]
    assert "cowsay==6.1" in changed["diff"]["after"]["packages"]
    assert changed["diff"]["before"]["recipe"]["requirements"] == ["cowsay==6.0"]

    back = images.twice(requirements=["cowsay==6.0"])
    assert back["steps"] == [f"name {made['image']['id'][7:19]} {images.name}:latest"]
    assert back["image"]["id"] == made["image"]["id"]
    assert f"{images.name}:latest" in back["image"]["tags"]

    gone = images.twice(state="absent")
    assert gone["image"] == {}
    assert images.ids() == set()


def test_an_image_removed_by_hand_is_made_again(images):
    made = images.image(requirements="cowsay==6.0")
    images.engine.remove_image(made["image"]["id"], force=True)
    assert images.image(requirements="cowsay==6.0")["steps"] == [f"build {images.name}:latest"]


def test_another_base_is_another_image(images, other_image):
    first = images.image(requirements=["cowsay==6.0"])
    second = images.twice(requirements=["cowsay==6.0"], base=other_image)
    assert first["image"]["id"] != second["image"]["id"]
    assert second["image"]["base"] == other_image


def test_refresh_finds_newer_packages_and_builds_only_then(images):
    images.image(requirements=["cowsay"], constraints=["cowsay<6"])
    images.engine.tag(images.name, images.name, "other")
    old = images.image(requirements=["cowsay"], constraints=["cowsay<6"])["image"]["packages"]["cowsay"]
    assert old.startswith("5.")
    kept = images.image(requirements=["cowsay"])
    assert kept["image"]["packages"]["cowsay"] == old, "what the image before had is good enough"
    assert not images.image(requirements=["cowsay"])["changed"]
    assert not images.image(requirements=["cowsay"], refresh="1d")["changed"], "it is younger than that"
    foreseen = images.image(check=True, requirements=["cowsay"], refresh="always")
    fresh = images.image(requirements=["cowsay"], refresh="always")
    assert foreseen["packages"] == fresh["packages"]
    assert re.match(r"cowsay: 5\S+ -> [6-9]", fresh["packages"]["changed"][0])
    assert not images.image(requirements=["cowsay"], refresh="always")["changed"]
    assert not images.image(requirements=["cowsay"], refresh="0s")["changed"]


@pytest.mark.parametrize("options", [{}, {"keep": 0}, {"state": "pulled"}, {"check": True}])
def test_what_is_there_is_told_as_by_the_module_and_without_it(images, tmp_path, options):
    said = {"requirements": ["cowsay==6.0"], "files": [{"dest": "/opt/note", "content": "x"}], **options}
    images.image(**{**said, "check": False, "state": "present"})
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')  # it finds no Docker SDK, so no module runs
    python.chmod(0o755)
    told = action("image", python=python, name=images.name, base=images.base, **said)
    by_module = images.image(**said)
    assert not told["changed"] and told["image"]["layers"] and "diff" not in told
    assert all(told[key] == by_module[key] for key in ("changed", "steps", "packages", "image"))


def test_the_module_decides_where_the_engine_alone_cannot(images, tmp_path):
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    (folder / "requirements.txt").write_text("cowsay==6.0")
    file.write_text("one")
    said = {"name": images.name, "base": images.base}
    for options in ({"path": str(folder)}, {"files": [{"dest": "/opt/note", "src": str(file)}]}):
        assert action("image", **said, **options)["changed"]
        assert not action("image", **said, **options)["changed"]
    file.write_text("two")
    assert action("image", **said, **options)["changed"]
    assert action("image", **said, **options, refresh="always")["changed"] is False
    assert action("image", **said, requirements=["cowsay==6.0"], keep=0)["steps"][1:], "older ones go"
    with pytest.raises(ModuleFailed, match="^name: .* is no name for an image"):
        action("image", name="No Name")
    with pytest.raises(ModuleFailed, match="value of state must be one of"):
        action("image", state="there")


def test_old_images_are_kept_to_a_number_and_never_one_in_use(images):
    ids = [images.image(environment={"N": str(number)}, keep=1)["image"]["id"] for number in range(2)]
    container = images.engine.create_container(ids[0], "true", name=f"{images.name}-user")["Id"]
    third = images.twice(environment={"N": "2"}, keep=0)
    assert len(third["steps"]) == 2 and third["steps"][1].startswith("remove ")
    assert images.ids() == {ids[0], third["image"]["id"]}
    with pytest.raises(ModuleFailed, match=f"is in use by {images.name}-user: remove these containers first"):
        images.image(state="absent")
    assert len(images.ids()) == 2, "nothing was removed before it was known that all could be"
    images.engine.remove_container(container)
    assert images.image(check=True, environment={"N": "2"}, keep=0)["changed"]
    assert images.image(environment={"N": "2"}, keep=0)["changed"]
    assert images.ids() == {third["image"]["id"]}


def test_the_last_ones_are_kept_whatever_their_age(images):
    ids = [images.image(environment={"N": str(number)}, keep=2)["image"]["id"] for number in range(5)]
    assert images.ids() == set(ids[2:])
    back = images.twice(environment={"N": "2"}, keep=2)
    assert back["steps"] == [f"name {ids[2][7:19]} {images.name}:latest"]
    last = images.twice(environment={"N": "5"}, keep=1)
    assert images.ids() == {ids[2], last["image"]["id"]}, "what had the name before is what one goes back to"


def test_a_tag_of_its_own(images):
    images.image(name=f"{images.name}:2024", environment={"A": "1"})
    images.image(name=f"{images.name}:2025", environment={"A": "2"})
    removed = images.image(name=f"{images.name}:2024", state="absent")
    assert removed["steps"] == [f"remove {images.name}:2024"]
    assert not images.image(name=f"{images.name}:2024", state="absent")["changed"]
    assert len(images.image(state="absent")["steps"]) == 3


def test_a_name_of_an_image_in_use_that_has_another_one_may_go(images):
    made = images.image(environment={"A": "1"})["image"]["id"]
    images.engine.tag(made, f"{images.name}-other", "1")
    images.engine.create_container(made, "true", name=f"{images.name}-user")
    assert len(images.twice(state="absent")["steps"]) == 2
    with pytest.raises(ModuleFailed, match=f"^{images.name}-other:1 is in use by {images.name}-user"):
        images.image(name=f"{images.name}-other", state="absent")


def test_what_others_build_on_it_is_theirs(images):
    made = images.image(environment={"A": "1"})
    container = images.engine.create_container(images.name, "true")["Id"]
    derived = images.engine.commit(container, images.name, "mine")["Id"]
    images.engine.remove_container(container)
    images.engine.tag(derived, images.name, "latest")
    back = images.twice(environment={"A": "1"}, keep=0)
    assert back["image"]["id"] == made["image"]["id"]
    assert images.inspect(f"{images.name}:mine")["Id"] == derived


def test_save_and_load(images, tmp_path):
    images.image(environment={"A": "1"})
    layers, archive = images.inspect()["RootFS"]["Layers"], tmp_path / "image.tar"
    with archive.open("wb") as file:
        for block in images.engine.get_image(f"{images.name}:latest"):
            file.write(block)
    with pytest.raises(ModuleFailed, match="is no image that `docker save` wrote"):
        images.image(state="loaded", archive=__file__)
    images.image(state="absent")
    loaded = images.twice(state="loaded", archive=str(archive))
    assert loaded["steps"] == [f"load {images.name}:latest"]
    assert images.inspect()["RootFS"]["Layers"] == layers
    again = images.twice(name=f"{images.name}:other", state="loaded", archive=str(archive))
    assert again["image"]["name"] == f"{images.name}:other"
    images.image(environment={"A": "2"})
    assert images.inspect()["RootFS"]["Layers"] == layers
    other = images.twice(state="loaded", archive=str(archive))
    assert other["steps"] == [f"load {images.name}:latest"], "the layers are the same, and the variable is not"
    archive.write_bytes(gzip.compress(archive.read_bytes(), 1)[:-1000])
    with pytest.raises(ModuleFailed, match="is no image that `docker save` wrote"):
        images.image(state="loaded", archive=str(archive))


def test_an_image_of_another_platform_does_not_serve(images):
    images.image(environment={"A": "1"})
    assert not images.image(state="pulled", platform="linux/amd64")["changed"]
    assert images.image(check=True, state="pulled", platform="linux/s390x")["steps"] == [f"pull {images.name}:latest"]


def test_docker_hub_s_own_names_are_short(images):
    images.image(name=f"docker.io/library/{images.name}", environment={"A": "1"})
    assert not images.image(environment={"A": "1"})["changed"]
    assert not images.image(name=f"docker.io/library/{images.name}", environment={"A": "1"})["changed"]


def test_progress_is_written_while_it_runs(images, tmp_path):
    log, hook = tmp_path / "build.log", f"echo this is {images.name}"
    done = images.image(requirements=["cowsay==6.0"], post_build=[hook], log=str(log))
    lines = log.read_text().splitlines()
    assert "Finding the packages that fit together" in lines
    assert "Step 1/2: Installing cowsay" in lines
    assert f"  this is {images.name}" in lines
    assert done["log"] == str(log)
    log.unlink()
    assert "log" not in images.image(requirements=["cowsay==6.0"], post_build=[hook], log=str(log))
    assert not log.exists()


def test_a_build_may_run_on_its_own(images):
    """As with Ansible's async and poll."""
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible", "localhost", "-m", "myjupyter.fleet.image", "-B", "120", "-P", "1",
         "-a", json.dumps({"name": images.name, "base": images.base, "environment": {"A": "1"}}),
         "-e", f"ansible_python_interpreter={sys.executable}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "CHANGED" in done.stdout, done.stdout + done.stderr
    assert images.inspect()


@pytest.mark.parametrize(
    "options, says",
    [
        ({"requirements": "pandas\npanda s==1"}, "requirements line 2: 'panda s==1' has 's==1' after its name"),
        ({"requirements": ["-e ."]}, "requirements line 1: '-e .' an editable install has no place"),
        ({"requirements": {"a": 1}}, "requirements: {'a': 1} is neither text nor a list"),
        ({"name": "My Image"}, "name: 'My Image' is no name for an image"),
        ({"base": "a b"}, "base: 'a b' is no name of an image"),
        ({"packages": ["a; rm -rf /"]}, "packages: 'a; rm -rf /' is no name of a system package"),
        ({"environment": {"a-b": "1"}}, "environment: 'a-b' is no name of a variable"),
        ({"environment": {"A": None}}, "environment.A: None is neither text nor a number: write '' for an empty value"),
        ({"files": [{"dest": "relative", "content": ""}]}, r"files\[1\].dest: 'relative' is no absolute path"),
        ({"files": [{"dest": "/a"}]}, r"files\[1\]: '/a' needs one of src and content"),
        ({"files": [{"dest": "/a", "src": "/nowhere"}]}, "files.src: '/nowhere' is no file on the host"),
        ({"platform": "arm"}, "platform: 'arm' is no platform"),
        ({"labels": {"fleet.myjupyter.name": "x"}}, "which this collection keeps for itself"),
        ({"refresh": "weekly"}, "refresh: 'weekly' is neither never, always nor an age"),
        ({"index_url": "pypi"}, "index_url: 'pypi' is no index"),
        ({"proxy": {"http_proxy": "u:p@host"}}, "proxy.http_proxy: .* is no address"),
        ({"ca_bundle": "/nowhere"}, "ca_bundle: '/nowhere' is no file on the host"),
        ({"path": "/nowhere"}, "path: '/nowhere' is no directory"),
        ({"keep": -1}, "keep: -1 is how many older images stay"),
        ({"log": "/nowhere/log", "environment": {"A": "b"}}, "log: '/nowhere/log' cannot be written"),
        ({"nonsense": 1}, "Unsupported parameters.*nonsense"),
    ],
)
def test_bad_input_is_named_and_nothing_is_built(images, options, says):
    with pytest.raises(ModuleFailed, match=says):
        images.image(**{"requirements": [], **options})
    assert images.ids() == set()


def test_what_cannot_be_resolved_says_why(images):
    for check in (True, False):
        with pytest.raises(ModuleFailed) as failed:
            images.image(check=check, requirements=["humanize==4.9.0", "cowsay==99"])
        assert "requirements: they cannot be resolved." in str(failed.value)
        assert "there is no version of cowsay==99" in str(failed.value)
    assert images.ids() == set()


def test_what_the_base_could_not_go_on_with_is_refused(images):
    with pytest.raises(ModuleFailed) as failed:
        images.image(requirements=["jupyter-server<2"])
    said = str(failed.value)
    assert "requirements: they lead to jupyter-server 1." in said
    assert "of the base needs jupyter" in said and "into the requirements too" in said
    assert images.ids() == set()


def test_a_base_that_is_not_here(images):
    foreseen = images.image(check=True, base="myjupyter-nowhere.invalid/base:1")
    assert foreseen["steps"] == ["pull myjupyter-nowhere.invalid/base:1", f"build {images.name}:latest"]
    with pytest.raises(ModuleFailed, match="is not on this host and could not be pulled.*jupyter_base"):
        images.image(base="myjupyter-nowhere.invalid/base:1")


def test_a_base_by_its_id(images, small):
    whole = images.inspect(images.base)["Id"]
    for number, base in enumerate((whole, whole[7:19])):
        images.twice(base=base, environment={"A": str(number)})
        assert images.run("echo $A") == str(number)
    for check in (True, False):
        with pytest.raises(ModuleFailed, match="^base: 'sha256:.*' is an image without a name, .* `docker tag`"):
            images.image(check=check, base=small(""))


def test_a_base_for_another_platform(images, small):
    small("base", platform="linux/s390x")
    for check in (True, False):
        with pytest.raises(ModuleFailed, match="^base: '.*' is here for linux/s390x, and an image for linux/"):
            images.image(check=check, base=f"{images.name}:base")


@pytest.mark.parametrize(
    "command, says",
    [
        ("rm -rf $(python -c 'import sysconfig; print(sysconfig.get_paths()[\"purelib\"])')/*", ""),
        (
            "rm -f /opt/conda/bin/python* /usr/bin/python3*",
            "Finding .*: error: the base has no Python, into which packages are installed",
        ),
    ],
    ids=["no packages", "no Python"],
)
def test_a_base_that_has_less_than_others(images, command, says):
    container = images.engine.create_container(images.base, ["-c", command], entrypoint=["/bin/sh"], user="root")["Id"]
    images.engine.start(container)
    assert images.engine.wait(container)["StatusCode"] == 0
    images.engine.commit(container, images.name, "base")
    images.engine.remove_container(container)
    asked = {"base": f"{images.name}:base", "requirements": ["cowsay==6.0"]}
    if says:
        with pytest.raises(ModuleFailed, match=says):
            images.image(**asked)
    else:
        assert images.twice(**asked)["image"]["packages"] == {"cowsay": "6.0"}


def test_a_host_without_an_engine_yet(images, tmp_path):
    nowhere = f"unix://{tmp_path}/docker.sock"
    assert images.image(check=True, docker_host=nowhere)["steps"] == [f"build {images.name}:latest"]
    assert not images.image(check=True, docker_host=nowhere, state="absent")["changed"]
    with pytest.raises(ModuleFailed, match="No Docker Engine listens at"):
        images.image(docker_host=nowhere)
