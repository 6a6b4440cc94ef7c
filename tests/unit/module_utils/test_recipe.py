"""Options to a recipe, a recipe to its digest, a directory to what it asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _binder, _recipe
from ansible_collections.myjupyter.fleet.plugins.module_utils.image._recipe import Directory

DEFAULTS = {
    "name": "myjupyter", "state": "present", "base": "myjupyter-base", "requirements": [], "constraints": [],
    "packages": [], "files": [], "environment": {}, "post_build": [], "build_args": {}, "index_url": None,
    "extra_index_urls": [], "ca_bundle": None, "proxy": None, "platform": None, "labels": {}, "path": None,
    "refresh": "never", "keep": 3, "archive": None, "log": None,
}  # fmt: skip
BASE = {"RootFS": {"Layers": ["sha256:base"]}, "Config": {"User": "jovyan", "Env": ["A=1"], "Labels": {"a": "1"}}}
FILE = {"dest": "/a", "content": "x", "src": None, "mode": "0644"}


def parse(**options):
    return _recipe.parse({**DEFAULTS, **options})


def digest(**options):
    return parse(**options).recipe.digest([BASE])


NAMES = {
    "myjupyter": ("myjupyter", "", "myjupyter:latest"),
    "team/lab:2024.1": ("team/lab", "2024.1", "team/lab:2024.1"),
    "localhost:5000/lab": ("localhost:5000/lab", "", "localhost:5000/lab:latest"),
    "docker.io/team/lab": ("team/lab", "", "team/lab:latest"),
    "index.docker.io/library/lab:1": ("lab", "1", "lab:1"),
    "library/lab": ("lab", "", "lab:latest"),
    "library/team/lab": ("library/team/lab", "", "library/team/lab:latest"),
    "quay.io/jupyter/base-notebook:x": ("quay.io/jupyter/base-notebook", "x", "quay.io/jupyter/base-notebook:x"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    wanted = parse(name=name)
    assert (wanted.repository, wanted.tag, wanted.name) == NAMES[name]


@pytest.mark.parametrize("name", ["", "A", "a b", "a:", "a/", "/a", "a:b:c", "a--", "-a", "a@sha256:1", "a\n"])
def test_no_names(name):
    with pytest.raises(InvalidInput, match="is no name for an image"):
        parse(name=name)


def test_a_pulled_image_may_be_named_by_its_digest():
    name = f"quay.io/jupyter/base-notebook@sha256:{'0' * 64}"
    assert parse(name=name, state="pulled").name == name
    with pytest.raises(InvalidInput):
        parse(name=name)


@pytest.mark.parametrize(
    "said, seconds", [("never", None), ("always", 0), ("7d", 604800), ("12h", 43200), ("2w", 1209600), ("0s", 0)]
)
def test_ages(said, seconds):
    assert parse(refresh=said).refresh == seconds


DIFFERENT = [
    {"requirements": ["b"]},
    {"requirements": ["a", "--pre"]},
    {"requirements": ["a --hash=sha256:ab"]},
    {"constraints": ["a<2"]},
    {"packages": ["git"]},
    {"files": [FILE]},
    {"files": [{**FILE, "content": "y"}]},
    {"files": [{**FILE, "mode": "0600"}]},
    {"files": [{**FILE, "dest": "/b"}]},
    {"environment": {"A": "1"}},
    {"environment": {"A": 2}},
    {"post_build": ["true"]},
    {"build_args": {"A": "1"}},
    {"platform": "linux/arm64"},
    {"labels": {"a": "1"}},
    {"extra_index_urls": ["https://b/simple"]},
    {"index_url": "https://b/simple"},
]


def test_each_part_of_a_recipe_makes_another_digest():
    digests = {digest(**{"requirements": ["a"], **options}) for options in [{}, *DIFFERENT]}
    assert len(digests) == len(DIFFERENT) + 1


def test_another_base_makes_another_digest_be_it_by_its_configuration():
    config = BASE["Config"]
    others = [
        {**BASE, "RootFS": {"Layers": ["sha256:other"]}},
        *({**BASE, "Config": {**config, **other}} for other in ({"Env": ["A=2"]}, {"User": ""}, {"Cmd": ["x"]})),
    ]
    digests = {parse().recipe.digest([base]) for base in [BASE, *others]}
    assert len(digests) == 5
    same = {**BASE, "Config": {**config, "Cmd": None, "Volumes": {}, "Hostname": "h", "Labels": {}}}
    assert parse().recipe.digest([same]) in digests


SAME = [
    ({"requirements": ["b", "A_a >= 1"]}, {"requirements": "a-a>=1  # why\n\nb\n"}),
    ({"packages": ["b", "a"]}, {"packages": ["a", "b", "a"]}),
    ({"files": [FILE]}, {"files": [{**FILE, "mode": "644"}]}),
    ({"environment": {"A": True, "B": 1.5}}, {"environment": {"A": "true", "B": "1.5"}}),
    ({"labels": {2024: "x", True: "y"}}, {"labels": {"2024": "x", "true": "y"}}),
    ({"index_url": "https://me:one@a/simple"}, {"index_url": "https://me:two@a/simple"}),
    ({}, {"proxy": {"http_proxy": "http://a"}, "ca_bundle": "/a", "refresh": "7d", "keep": 0, "log": "/a"}),
]


@pytest.mark.parametrize("one, other", SAME)
def test_what_makes_no_other_image_makes_no_other_digest(one, other):
    assert digest(**one) == digest(**other)


def test_a_declaration_has_no_password():
    options = {"index_url": "https://me:secret@a/simple", "extra_index_urls": ["https://me:secret@b/simple"]}
    needs = ["x @ https://me:secret@c/x.whl", "y @ https://me:s@secret@c/y.whl"]
    said = parse(requirements=needs, **options).recipe.declaration()
    assert "secret" not in str(said)
    assert said["requirements"] == ["x @ https://***@c/x.whl", "y @ https://***@c/y.whl"]
    elsewhere = {"post_build": ["pip install -i https://me:secret@d/simple x"], "build_args": {"A": "ftp://me:secret@e"},
                 "environment": {"A": "https://me:secret@f"}}  # fmt: skip
    said = parse(**elsewhere).recipe.declaration()
    assert "secret" not in str(said) and said["environment"] == {"A": "https://***@f"}


def test_a_declaration_fits_into_an_argument_however_many_hashes_there_are():
    lines = [" ".join([f"p{name}==1", *(f"--hash=sha256:{name}{number:060}" for number in range(120))])
             for name in range(20)]  # fmt: skip
    one, other = (parse(requirements=chosen).recipe for chosen in (lines, [lines[0][:-1] + "8", *lines[1:]]))
    assert len(str(one.declaration())) < 2000
    assert one.digest([BASE]) != other.digest([BASE])


def interpret(**files):
    files = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    return _binder.interpret("/repo", files, files.__getitem__)


def test_a_directory_asks_for_what_its_files_say():
    found = interpret(
        requirements_txt="a", apt_txt="git  # why\nless", runtime_txt="python-3.12\n", postBuild="x", start="y",
        README_md="",
    )  # fmt: skip
    assert found == Directory(
        "/repo", requirements=found.requirements, packages=("git", "less"), post_build="postBuild", start="start",
        python="3.12",
    )  # fmt: skip
    assert found.requirements.lines == ("a",)


def test_an_environment_says_all_of_python():
    found = interpret(
        environment_yml="dependencies: [z]", requirements_txt="-e .", setup_py="", Pipfile="", apt_txt="git",
        runtime_txt="r-4",
    )  # fmt: skip
    assert found == Directory("/repo", packages=("git",), conda="environment.yml")


@pytest.mark.parametrize(
    "said",
    ["-r requirements.txt", '"-r requirements.txt"', "-rmore.txt", "./package", ".", "'.[test]'", "file:x",
     "a[b] @ file:///x", "git+file:///x"],
)  # fmt: skip
def test_an_environment_may_name_other_files(said):
    assert interpret(environment_yml=f"dependencies:\n  - pip:\n    - {said}\n").conda_reads
    assert interpret(environment_yml=f"dependencies: [pip: [a, {said}]]\n").conda_reads
    assert not interpret(environment_yml="dependencies:\n  - r-base\n  - pip:\n    - a-r b\n").conda_reads


@pytest.mark.parametrize(
    "said", ["- a  # as in [x], -e", "- -e git+https://a/b", "- --extra-index-url https://a", "- a-e"]
)
def test_an_environment_without_one_is_not(said):
    assert interpret(environment_yml=f"dependencies:\n  - pip:\n    {said}\n      --extra-index-url x\n").conda


@pytest.mark.parametrize("said", ["- -e .", "- '--editable=./x'", "[a, -e .]"])
def test_an_environment_with_an_editable_install_is_refused(said):
    with pytest.raises(InvalidInput, match="/repo/environment.yml' has an editable install"):
        interpret(environment_yml=f"dependencies:\n  - pip:\n    {said}\n")


def test_files_that_include_others_beside_and_above_them():
    found = interpret(binder__requirements_txt="-r ../requirements.txt\n-r ./more.txt", requirements_txt="a",
                      binder__more_txt="b")  # fmt: skip
    assert found.requirements.lines == ("a", "b")


def test_a_binder_folder_hides_the_rest():
    found = interpret(requirements_txt="a", setup_py="", Pipfile="", binder__apt_txt="git")
    assert found.requirements.lines == () and found.packages == ("git",)


@pytest.mark.parametrize("name", _binder.UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name(name):
    files = {name: "", "requirements.txt": "a"}
    with pytest.raises(InvalidInput, match=f"/repo/{name}' is not supported: "):
        _binder.interpret("/repo", files, files.__getitem__)


@pytest.mark.parametrize(
    "text",
    ["[project]\n[build-system]", "[ project ]\n[ 'build-system' ]", "project.name = 'x'\n[build-system]",
     "project = {name='x'}\nbuild-system = {}", '["project"]\n[project.urls]\n["build-system"]'],
)  # fmt: skip
def test_a_project_is_what_says_how_it_is_built(text):
    assert interpret(pyproject_toml=text, requirements_txt="a").project
    assert not interpret(pyproject_toml=text, binder__apt_txt="git").project


@pytest.mark.parametrize(
    "text", ["[tool.ruff]\nline-length = 120", "[project]\nname = 'x'", "[build-system]", "[projects]"]
)
def test_settings_of_tools_are_no_project(text):
    assert not interpret(pyproject_toml=text, requirements_txt="a").project


def test_setup_py_is_a_project():
    assert interpret(setup_py="").project and not interpret(setup_py="", environment_yml="").project


@pytest.mark.parametrize("name", [".dockerignore", "binder/.containerignore"])
def test_what_is_to_be_left_out(name):
    assert (
        interpret(**{name.replace("/", "__"): "x", "binder__apt_txt" if "/" in name else "apt_txt": ""}).ignore == name
    )


@pytest.mark.parametrize("mode", [0o644, 644, None])
def test_a_mode_that_yaml_took_for_a_number_is_refused(mode):
    with pytest.raises(InvalidInput, match=r"files\[1\].mode: .* is a number, which YAML made of it: write '0644'"):
        parse(files=[{**FILE, "mode": mode}])


@pytest.mark.parametrize(
    "options",
    [
        {"index_url": "https://me:s3cret@a/simple b"},
        {"index_url": "ftp://me:s3cret@a/simple"},
        {"requirements": {"x": "https://me:s3cret@a/x.whl"}},
        {"requirements": ["x https://me:s3cret@a/x.whl"]},
        {"requirements": ["--index-url https://a https://me:s3cret@b"]},
    ],
)
def test_a_refusal_tells_no_password(options):
    with pytest.raises(InvalidInput) as refused:
        parse(**options)
    assert "s3cret" not in str(refused.value)


def test_an_index_may_end_with_a_line_break():
    assert parse(index_url="https://a/simple\n").recipe.requirements.index_url == "https://a/simple"


def test_constraints_keep_their_hashes_and_indexes():
    text = f"--extra-index-url https://a/simple\nx==1 --hash=sha256:{'0' * 64}"
    needs = parse(requirements=["x"], constraints=text).recipe.requirements
    assert (needs.lines, needs.constraints) == (("x",), ("x==1",))
    assert (needs.hashes, needs.extra_index_urls) == ((("x", (f"sha256:{'0' * 64}",)),), ("https://a/simple",))


def test_a_dockerfile_says_all_itself():
    recipe = parse(build_args={"A": "1"}, index_url="https://a", extra_index_urls=["https://b"]).recipe
    directory = interpret(Dockerfile="FROM x", Pipfile="")
    assert _recipe.with_directory(recipe, directory).dockerfile == "Dockerfile"
    for option in ({"requirements": ["a"]}, {"packages": ["git"]}, {"post_build": ["true"]}):
        with pytest.raises(InvalidInput, match=f"leave out {next(iter(option))}"):
            _recipe.with_directory(parse(**option).recipe, directory)


def test_a_directory_adds_to_the_options():
    recipe = parse(requirements=["b"], packages=["git"]).recipe
    whole = _recipe.with_directory(recipe, replace(interpret(requirements_txt="a", apt_txt="less"), digest="d"))
    assert whole.requirements.lines == ("a", "b") and whole.packages == ("git", "less")
    assert whole.digest([]) != recipe.digest([])
