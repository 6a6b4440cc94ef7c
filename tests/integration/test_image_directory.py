"""Directories in repo2docker's convention, and those with a Dockerfile of their own."""

from __future__ import annotations

import json
import os
import re
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
            path = tmp_path / "repo" / re.sub(r"_(txt|yml|toml|sh|py)$", r".\1", name.replace("__", "/"))
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
    assert config["Entrypoint"] == [*before["Entrypoint"], "/home/jovyan/start"]
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


def test_scripts_run_from_their_place_and_know_where_they_are(images, fill):
    path = fill(
        binder__postBuild=(
            '. "$(dirname "$0")/lib.sh"; false\nmkdir -p "$NB_PYTHON_PREFIX/share/x"; keep "$REPO_DIR"',
        ),
        binder__start=('#!/bin/bash\n. "$(dirname "$0")/lib.sh"; keep "$0"\nexec "$@"\n',),
        binder__lib_sh=('keep() { echo "$@" >> ~/kept; }\n',),
    )
    images.image(path=path)
    said = images.run("~/binder/start cat kept; ls -d /opt/conda/share/x; echo $PATH; stat -c %A binder/start")
    assert said.splitlines() == [
        "/home/jovyan", "/home/jovyan/binder/start", "/opt/conda/share/x",
        f"/home/jovyan/.local/bin:{images.run('echo $PATH', images.base)}", "-rwxr-xr-x",
    ]  # fmt: skip


def test_what_is_to_be_left_out_is(images, fill):
    files = {"binder__postBuild": ("true",), "notes__secret_txt": ("x",), "notes__two_txt": ("x",), "data__a": ("x",)}
    ignore = {".dockerignore": ("# all but one\n**/*.txt\n!notes/two.txt\n/data/\nbinder\n",)}
    images.image(path=fill(**files, **{f"binder__{name}": text for name, text in ignore.items()}))
    assert images.run("find notes binder -type f; ls").split() == [
        "notes/two.txt",
        "binder/postBuild",
        "binder",
        "notes",
        "work",
    ]


def test_a_project_is_installed_before_its_postbuild(images, fill):
    project = "[build-system]\nrequires = ['setuptools']\n[project]\nname = 'mine'\nversion = '1'\n"
    path = fill(
        pyproject_toml=(project + "dependencies = ['cowsay==6.0']\n[tool.setuptools]\npy-modules = ['mine']\n",),
        mine_py=("SAID = 'mine'\n",),
        postBuild=("cd /; python -c 'import mine, cowsay; print(mine.SAID)' > ~/said\n",),
    )
    images.twice(path=path)
    assert images.run("cat ~/said") == "mine"


@pytest.mark.parametrize("folder", ["binder", ".binder"])
def test_a_binder_folder_comes_first(images, fill, folder):
    path = fill(**{f"{folder}__requirements_txt": ("cowsay==6.0\n",), "requirements_txt": ("humanize==4.9.0\n",)})
    assert images.image(check=True, path=path)["packages"]["added"] == ["cowsay==6.0"]


@pytest.mark.parametrize(
    "name, says",
    [
        ("Pipfile", "Pipfile' is not supported: write its packages into requirements.txt"),
        ("install.R", "install.R' is not supported: take a base with R"),
        ("Project.toml", "Project.toml' is not supported: take a base with Julia.*instantiate it in binder/postBuild"),
        ("default.nix", "default.nix' is not supported"),
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


def test_a_dockerfile_is_told_of_its_user(images, fill):
    """With the variables that a base sets taken away, as in a base that is none of Jupyter's."""
    said = f"FROM {images.base}\nENV NB_UID=\nARG NB_USER\nARG NB_UID\nRUN echo $NB_USER > /tmp/who\nUSER $NB_UID\n"
    images.image(path=fill(Dockerfile=(said,)))
    assert images.inspect()["Config"]["User"] == "1000" and images.run("cat /tmp/who") == "jovyan"


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
