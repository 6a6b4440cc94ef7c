"""Directories in repo2docker's convention, and those with a Dockerfile of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import ModuleFailed

CONDA = """#!/bin/sh
echo "$@" > /opt/conda-was-asked
while [ "$1" != -f ]; do shift; done; cat "$2" >> /opt/conda-was-asked
"""


@pytest.fixture
def fill(tmp_path):
    def write(**files):
        for name, (text, *mode) in files.items():
            path = tmp_path / "repo" / name.replace("__", "/").replace("_txt", ".txt").replace("_yml", ".yml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(mode[0] if mode else 0o644)
        return str(tmp_path / "repo")

    return write


def test_all_that_is_followed(images, fill):
    python = images.run("python -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'", images.base)
    path = fill(
        requirements_txt=("-r more.txt\n-c limits.txt\n",),
        more_txt=("cowsay\n",),
        limits_txt=("cowsay<6.1  # a comment\n",),
        apt_txt=("less # a pager\n",),
        runtime_txt=(f"python-{python}\n",),
        postBuild=("#!/bin/bash\npwd > ~/where\npython -c 'import cowsay'\nmkdir made\n", 0o755),
        start=('#!/bin/bash\nexport GREETING=hello\nexec "$@"\n', 0o755),
        notebooks__one=("{}",),
    )
    made = images.twice(path=path)
    assert made["packages"]["added"] == ["cowsay==6.0"]
    assert images.run("cat ~/where; ls -d ~/made; stat -c %U ~/notebooks/one; dpkg-query -W -f '${Package}' less") == (
        "/home/jovyan\n/home/jovyan/made\njovyan\nless"
    )
    config, before = images.inspect()["Config"], images.inspect(images.base)["Config"]
    assert config["Entrypoint"] == [*before["Entrypoint"], "/usr/local/bin/myjupyter-start"]
    assert (config["Cmd"], config["User"], config["WorkingDir"]) == (
        before["Cmd"], before["User"], before["WorkingDir"],
    )  # fmt: skip
    container = images.engine.create_container(images.name, ["sh", "-c", "echo $GREETING $USER"])["Id"]
    images.engine.start(container)
    images.engine.wait(container)
    assert images.engine.logs(container, stderr=False).decode().split()[0] == "hello"
    images.engine.remove_container(container)
    fill(notebooks__one=("{ }",))
    assert images.image(check=True, path=path)["changed"]


@pytest.mark.parametrize("folder", ["binder", ".binder"])
def test_a_binder_folder_comes_first(images, fill, folder):
    path = fill(**{f"{folder}__requirements_txt": ("cowsay==6.0\n",), "requirements_txt": ("humanize==4.9.0\n",)})
    assert images.image(check=True, path=path)["packages"]["added"] == ["cowsay==6.0"]


@pytest.mark.parametrize(
    "name, says",
    [
        ("Pipfile", "Pipfile' is not supported: write its packages into requirements.txt"),
        ("install.R", "install.R' is not supported: take a base with R"),
        ("Project.toml", "Project.toml' is not supported: take a base with Julia"),
        ("default.nix", "default.nix' is not supported"),
        ("setup.py", "setup.py' is not supported: write `pip install .` into postBuild"),
        ("environment.yaml", "environment.yaml' is not supported: name it environment.yml"),
    ],
)
def test_what_is_not_supported_is_named(images, fill, name, says):
    with pytest.raises(ModuleFailed, match=says):
        images.image(path=fill(**{name: ("",)}))


@pytest.mark.parametrize(
    "files, says",
    [
        ({"requirements_txt": ("a\n-r other.txt\n",)}, "requirements.txt line 2: '-r other.txt' names a file"),
        ({"binder__requirements_txt": ("a b\n",)}, "binder/requirements.txt line 1: 'a b' has 'b' after its name"),
        ({"apt_txt": ("fine\nnot fine;\n",)}, "apt.txt line 2: 'fine;' is no name of a system package"),
        ({"runtime_txt": ("r-4.1\n",)}, "runtime.txt: 'r-4.1' is not supported"),
        ({"runtime_txt": ("python-2.7\n",)}, "runtime.txt asks for Python 2.7, and the base has 3"),
        ({"binder__a": ("",), ".binder__a": ("",)}, "has both binder/ and .binder/"),
        ({"environment_yml": ("dependencies: [xz]\n",)}, "environment.yml needs conda or mamba"),
    ],
)
def test_what_is_wrong_in_it_is_named(images, fill, files, says):
    with pytest.raises(ModuleFailed, match=says):
        images.image(path=fill(**files))
    assert images.ids() == set()


def test_what_links_lead_to_counts_and_a_binder_folder_is_none(images, fill, tmp_path):
    path = Path(fill(requirements_txt=("",)))
    (tmp_path / "shared").write_text("echo one > $HOME/said")
    (path / "postBuild").symlink_to(tmp_path / "shared")
    (path / "nowhere").symlink_to(tmp_path / "nothing")
    images.image(path=str(path))
    assert images.run("cat $HOME/said") == "one"
    (tmp_path / "shared").write_text("echo two > $HOME/said")
    assert images.image(path=str(path))["changed"] and images.run("cat $HOME/said") == "two"

    (path / "binder").symlink_to(tmp_path)
    with pytest.raises(ModuleFailed, match="binder' is a link: make it a folder of its own"):
        images.image(path=str(path))


def test_what_nobody_can_read_is_named(images, fill):
    path = Path(fill(requirements_txt=("",)))
    (path / "apt.txt").symlink_to("nowhere")
    with pytest.raises(ModuleFailed, match="apt.txt' cannot be read: No such file or directory"):
        images.image(path=str(path))
    (path / "apt.txt").unlink()
    os.mkfifo(path / "pipe")
    with pytest.raises(ModuleFailed, match="pipe' is neither a file nor a folder nor a link"):
        images.image(path=str(path))


def test_an_environment_goes_to_the_base_s_conda_and_finds_the_files_beside_it(images, fill, tmp_path):
    stub = tmp_path / "conda"
    stub.write_text(CONDA)
    dest = "/usr/local/bin/mamba"
    images.image(name=f"{images.name}-conda", files=[{"dest": dest, "src": str(stub), "mode": "0755"}])
    path = fill(environment_yml=("dependencies: [xz]\n",))
    images.twice(base=f"{images.name}-conda", path=path)
    assert images.run("cat /opt/conda-was-asked") == (
        "env update -q -p /usr/local -f /run/myjupyter-conda.yml\ndependencies: [xz]"
    )
    path = fill(environment_yml=("- -r requirements.txt\n",), requirements_txt=("cowsay\n",))
    made = images.twice(base=f"{images.name}-conda", path=path)
    assert made["packages"]["added"] == [], "that is for conda alone"
    assert images.run("cat /opt/conda-was-asked") == (
        "env update -q -p /usr/local -f /run/myjupyter-directory/environment.yml\n- -r requirements.txt"
    )


def test_texts_of_other_systems(images, fill, tmp_path):
    path = fill(apt_txt=("\ufeffless\r\n",), postBuild=("echo here > ~/where\r\n",))
    (tmp_path / "repo/requirements.txt").write_bytes("cowsay==6.0\r\n".encode("utf-16"))
    assert images.image(path=path)["packages"]["added"] == ["cowsay==6.0"]
    assert images.run("cat ~/where; command -v less") == "here\n/usr/bin/less"
    (tmp_path / "repo/requirements.txt").write_bytes("# f\xfcr\n".encode("latin-1"))
    with pytest.raises(ModuleFailed, match="path: '.*/requirements.txt' is no text in UTF-8, at byte 3: save it"):
        images.image(path=path)


DOCKERFILE = """
ARG BASE
FROM ${BASE}
ARG WHO=nobody
RUN --mount=type=secret,id=ca --mount=type=secret,id=build_env \\
    echo "$WHO" > ~/who; if [ -e /run/secrets/ca ]; then echo ca >> ~/who; fi
COPY extra /tmp/extra
"""


def test_a_dockerfile_is_built_as_it_is(images, fill):
    path = fill(Dockerfile=(DOCKERFILE,), extra=("one",))
    options = {"path": path, "build_args": {"BASE": images.base, "WHO": images.name}}
    images.twice(**options)
    assert images.run("cat ~/who /tmp/extra") == f"{images.name}\nca\none"
    fill(extra=("two",))
    images.twice(**options)
    assert images.run("cat /tmp/extra") == "two"
    assert images.image(refresh="always", **options)["changed"], "nobody can tell without building"
    with pytest.raises(ModuleFailed, match="holds a Dockerfile, which says all itself: leave out packages"):
        images.image(packages=["less"], **options)
    fill(Dockerfile=("FROM nosuchbase.invalid/image\n",))
    with pytest.raises(ModuleFailed, match="The image could not be built.*nosuchbase"):
        images.image(path=path)
    assert "nosuchbase" not in json.dumps(images.inspect()["Config"]["Labels"])
