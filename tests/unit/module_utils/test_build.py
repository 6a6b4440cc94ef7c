"""What goes into a build and what comes out of it: Dockerfiles, layers, trust, progress."""

from __future__ import annotations

import json

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import BuildError, InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _dockerfile, _inside, _lock, _trust
from ansible_collections.myjupyter.fleet.plugins.module_utils.image._lock import Base, Lock
from ansible_collections.myjupyter.fleet.plugins.module_utils.image._progress import Progress
from ansible_collections.myjupyter.fleet.plugins.module_utils.image._recipe import Directory, File, Recipe
from ansible_collections.myjupyter.fleet.plugins.module_utils.image._requirements import Requirements

BASE = Base("3.12.1", "/opt/conda/bin/python", (1000, 100), (1000, 100), "/home/jovyan", {"jinja2": "3.1"})
CONFIG = {"User": "1000", "Entrypoint": ["tini", "--"], "Cmd": ["lab"], "WorkingDir": "/home/jovyan"}


def entry(name, size, version="1.0", **more):
    return {"name": name, "version": version, "wheels": [{"url": f"https://x/{name}.whl", "size": size}], **more}


def lock(*entries):
    return Lock(BASE, entries, {item["name"]: item["version"] for item in entries})


def answer(*entries, error="", **base):
    about = {**BASE.__dict__, **base}
    return json.dumps({"error": error, "base": about, "entries": entries})


def test_what_the_base_has_is_not_installed_again():
    found = _lock.read(answer(entry("jinja2", 1, "3.1"), entry("a", 1)), Requirements())
    assert [item["name"] for item in found.entries] == ["a"]
    assert found.packages == {"a": "1.0", "jinja2": "3.1"}
    newer = _lock.read(answer(entry("jinja2", 1, "3.2")), Requirements())
    assert [item["name"] for item in newer.entries] == ["jinja2"] and newer.packages == {"jinja2": "3.2"}


def test_the_resolver_s_reason_is_the_error():
    with pytest.raises(BuildError, match="no way"):
        _lock.read(answer(error="no way"), Requirements())


def test_only_files_with_a_given_hash_are_installed():
    item = entry("a", 1)
    item["wheels"] = [{"url": "one", "hashes": {"sha256": "aa"}}, {"url": "two", "hashes": {"sha256": "bb"}}]
    found = _lock.read(answer(item), Requirements(hashes=(("a", ("sha256:bb",)),)))
    assert [file["url"] for file in found.entries[0]["wheels"]] == ["two"]
    archive = {key: value for key, value in item.items() if key != "wheels"}
    archive["archive"] = {"url": "one", "hashes": {"sha256": "cc"}}
    assert _lock.read(answer(archive), Requirements(hashes=(("a", ("sha256:cc",)),))).packages["a"] == "1.0"
    with pytest.raises(BuildError, match="no file of a 1.0 has one of the hashes"):
        _lock.read(answer(item), Requirements(hashes=(("a", ("sha256:cc",)),)))


BIG, MIDDLE, SMALL = 200_000_000, 20_000_000, 1000


def test_the_largest_packages_lie_lowest():
    found = _lock.layers(lock(entry("s", SMALL), entry("m", MIDDLE), entry("b", BIG), entry("a", SMALL)), (), {})
    assert found == (("b",), ("m",), ("a", "s"))


ORDER = (("b",), ("m",), ("a", "s"))
KEPT = {"b": "1.0", "m": "1.0", "a": "1.0", "s": "1.0"}
CHANGES = {
    "nothing": ([], ORDER),
    "one more": ([entry("n", SMALL)], (*ORDER, ("n",))),
    "one more, large": ([entry("n", BIG)], (*ORDER, ("n",))),
    "small one newer": ([entry("a", SMALL, "2.0")], (("b",), ("m",), ("a", "s"))),
    "middle one newer": ([entry("m", MIDDLE, "2.0")], (("b",), ("m",), ("a", "s"))),
    "middle one newer, one more": ([entry("m", MIDDLE, "2.0"), entry("n", BIG)], (("b",), ("n",), ("m",), ("a", "s"))),
}


@pytest.mark.parametrize("what", CHANGES)
def test_layers_stay_as_far_up_as_nothing_changed(what):
    more, expected = CHANGES[what]
    entries = {item["name"]: item for item in [entry("b", BIG), entry("m", MIDDLE), *map(small, "as"), *more]}
    assert _lock.layers(lock(*entries.values()), ORDER, KEPT) == expected


def small(name):
    return entry(name, SMALL)


def test_what_went_leaves_no_gap():
    assert _lock.layers(lock(entry("b", BIG), entry("s", SMALL)), ORDER, KEPT) == (("b",), ("s",))


def test_layers_are_sorted_anew_when_there_are_too_many():
    previous = tuple((f"p{number}",) for number in range(12))
    kept = {layer[0]: "1.0" for layer in previous}
    entries = [entry(name, SMALL) for name in [*kept, "new"]]
    assert len(_lock.layers(lock(*entries), previous, kept)) == 1


def test_parts_of_a_layer_are_some_tens_of_megabytes():
    found = _lock.parts(lock(entry("a", SMALL), entry("m", MIDDLE), entry("n", MIDDLE), entry("b", BIG)), "amnb")
    assert found == (("a", "m", "n"), ("b",))


def test_a_pylock_is_toml_that_says_the_same():
    tomllib = pytest.importorskip("tomllib")
    items = [entry("a", 5, vcs={"type": "git", "url": 'https://x/"y"'}), entry("b", 6)]
    read = tomllib.loads(_lock.pylock(lock(*items), ("a",)))
    assert read["packages"] == [items[0]] and read["lock-version"] == "1.0"


@pytest.mark.parametrize("versions", [{}, {"b": "2", "a": "1"}])
def test_what_is_preferred_is_a_pylock_be_it_of_nothing(versions):
    tomllib = pytest.importorskip("tomllib")
    said = tomllib.loads(_inside.preferences(versions))
    assert {item["name"]: item["version"] for item in said["packages"]} == versions


def test_a_difference_is_by_version():
    assert _lock.difference({"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"}) == {
        "added": ["d==1"], "removed": ["a==1"], "changed": ["b: 1 -> 2"],
    }  # fmt: skip


def test_a_dockerfile_pulls_nothing_and_knows_no_secret():
    recipe = Recipe("base", packages=("git",), files=(File("/etc/x"), File("/home/jovyan/y")), post_build=("true",))
    text = _dockerfile.building(recipe, "base", "key", BASE, (("a",),), CONFIG)
    lines = text.splitlines()
    assert "syntax=" not in text and lines[0] == "FROM base AS system"
    assert 'COPY --chown=0:0 ["files/0", "/etc/x"]' in lines
    assert 'COPY --chown=1000:100 ["files/1", "/home/jovyan/y"]' in lines
    assert lines.index("USER 1000") < [i for i, line in enumerate(lines) if "hook-0" in line][0]
    assert all("--mount=type=secret,id=build_env" in line for line in lines if line.startswith("RUN"))
    assert _dockerfile.resolving(recipe, "base", "key").splitlines()[:3] == lines[:3], "the same steps are made once"


def test_without_mounts_all_is_copied_and_no_cache_stays():
    text = _dockerfile.without_mounts(_dockerfile.building(Recipe("base"), "base", "key", BASE, (("a",),), CONFIG))
    assert "--mount" not in text
    assert "COPY tools /run/myjupyter\nCOPY layer-1 /run/myjupyter-layer-1\nRUN set -e; " in text
    assert text.count("rm -rf /var/cache/myjupyter\n") == 1


def test_a_start_script_comes_before_the_command():
    recipe = Recipe("base", directory=Directory("/repo", start="start", post_build="postBuild"))
    lines = _dockerfile.building(recipe, "base", "key", BASE, (), CONFIG).splitlines()
    assert lines[-2:] == ['ENTRYPOINT ["tini", "--", "/home/jovyan/start"]', 'CMD ["lab"]']
    assert "WORKDIR /home/jovyan" in lines


def test_what_is_ignored_is_ignored_in_the_folder():
    text = "# why\n\n*.md\n!README.md\n/data/\n**/secret\n ! kept \n"
    assert _dockerfile.ignored(text, "directory", ["binder/start"]).splitlines() == [
        "directory/*.md", "!directory/README.md", "directory/data/", "directory/**/secret", "!directory/kept",
        "!directory/binder/start",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text, expected",
    [
        ("FROM a\nARG NB_USER\nARG NB_UID=5\nUSER $NB_UID", {"NB_USER": "jovyan", "NB_UID": "1000"}),
        ("arg A NB_UID\nFROM a", {"NB_UID": "1000"}),
        ("FROM a\nENV NB_UID=1", {}),
    ],
)
def test_a_dockerfile_is_told_what_it_asks_for(text, expected):
    assert _dockerfile.declared(text, {"NB_USER": "jovyan", "NB_UID": "1000"}) == expected


@pytest.mark.parametrize(
    "text, args, expected",
    [
        ("FROM a", {}, ["a"]),
        ("# FROM b\nfrom --platform=linux/amd64 a AS x\nFROM x\nFROM scratch\nCOPY --from=x / /", {}, ["a"]),
        ("ARG B=one\nFROM ${B}\nFROM $B:tag", {}, ["one", "one:tag"]),
        ('ARG B="one"\nFROM ${B}', {"B": "two"}, ["two"]),
        ("ARG A=1 B='b c' C=3\nFROM x:$A-$C", {}, ["x:1-3"]),
        ("FROM ${B:-python:3.12}\r\nFROM a${B:+b}", {}, ["python:3.12", "a"]),
        ("ARG B=b\nFROM a${B:+c} AS Build\nFROM build", {}, ["ac"]),
        ("FROM a\nRUN <<END python\nfrom PIL import Image\nEND\nFROM $UNSET", {}, ["a"]),
    ],
)
def test_what_a_dockerfile_is_built_on(text, args, expected):
    assert _dockerfile.bases(text, args) == expected


def test_pip_s_settings_have_their_order():
    first = "[global]\nindex-url = https://a\ntimeout = 5\n"
    second = "[install]\nindex-url = https://b\nextra-index-url =\n  https://c\n  https://d\n"
    found = _trust.pip_settings({"a": first, "b": second}, {"PIP_TIMEOUT": "9", "OTHER": "x"})
    assert found == {"index-url": "https://b", "extra-index-url": "https://c https://d", "timeout": "9"}


def test_pip_s_settings_are_read_as_pip_reads_them():
    both = "[install]\nindex_url = https://own\n[global]\nindex-url = https://all\nfind_links = https://l\n"
    assert _trust.pip_settings({"a": both}, {}) == {"index-url": "https://own", "find-links": "https://l"}
    with pytest.raises(InvalidInput, match="'/etc/pip.conf' cannot be read: File contains no section headers"):
        _trust.pip_settings({"/etc/pip.conf": "index-url = https://a"}, {})


def test_what_a_build_cannot_see_stays_out():
    pip = {"index-url": "file:///a", "extra-index-url": "/b https://c", "find-links": "/opt/wheels https://d"}
    found = _trust.variables(pip, {}, "", (), ())
    assert found == {
        "PIP_EXTRA_INDEX_URL": "https://c", "UV_INDEX": "https://c",
        "PIP_FIND_LINKS": "https://d", "UV_FIND_LINKS": "https://d",
    }  # fmt: skip


def test_options_come_before_the_host_s_settings():
    environ = {"HTTPS_PROXY": "http://host", "no_proxy": "x"}
    pip = {"index-url": "https://a", "extra-index-url": "https://b"}
    found = _trust.variables(pip, environ, "https://c", ["https://d"], [("http_proxy", "http://p")])
    assert (found["UV_DEFAULT_INDEX"], found["UV_INDEX"]) == ("https://c", "https://d")
    assert found["http_proxy"] == found["HTTP_PROXY"] == "http://p" and "https_proxy" not in found
    own = _trust.variables({}, environ, "", (), ())
    assert own == {"https_proxy": "http://host", "HTTPS_PROXY": "http://host", "no_proxy": "x", "NO_PROXY": "x"}
    assert _trust.script({"A": "b'c"}) == "export A='b'\"'\"'c'\n"


def test_certificates_without_comments():
    one = "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----"
    assert _trust.certificates(f"# Some CA\n{one}\nmore\n{one}\n") == f"{one}\n{one}\n"
    assert _trust.bundles("/mine", {"cert": "/pip"}, {}) == ["/mine"]
    assert _trust.bundles("", {"cert": "/pip"}, {"SSL_CERT_FILE": "/env"})[:2] == ["/env", "/pip"]


PLAIN = """\
#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 821B done
#1 DONE 0.0s

#3 [internal] load metadata for docker.io/library/base:latest
#3 DONE 0.0s

#4 [system 1/3] FROM docker.io/library/base
#4 CACHED

#5 [system 2/3] RUN --mount=type=cache something
#5 0.222 one
#5 1.200  + pandas==2.2 https://me:secret@x/simple
#5 DONE 2.3s

#6 [stage-0 3/3] RUN false
#6 0.100 error: it is so
#6 0.200   because
#6 ERROR: executor failed running [/bin/sh -c false]: exit code: 2
------
 > [stage-0 3/3] RUN false:
------
executor failed running [/bin/sh -c false]: exit code: 2
"""


def test_progress_is_for_people():
    progress = Progress({"something": "Doing something"})
    shown = [line for raw in PLAIN.splitlines(keepends=True) for line in progress.feed(raw)]
    assert shown == [
        "Step 2/3: Doing something",
        "  one",
        "   + pandas==2.2 https://***@x/simple",
        "Step 2/3: Doing something: 2.3 s",
        "Step 3/3: RUN false",
        "  error: it is so",
        "    because",
    ]
    assert progress.failure() == "Step 3/3: RUN false: error: it is so / because (exit code: 2)"


def test_progress_tells_no_password_of_a_title():
    [shown] = Progress({"hook-0": "Running pip install -i https://me:secret@a/simple x"}).feed("#5 [2/3] RUN hook-0\n")
    assert shown == "Step 2/3: Running pip install -i https://***@a/simple x"


@pytest.mark.parametrize("lines", [["error: command 'gcc' failed"], ["line"] * 40 + ["error: command 'gcc' failed"]])
def test_a_failed_build_of_a_package_names_it(lines):
    progress = Progress({"uv pip": "Installing packages"})
    said = ["  × Failed to build `thing==1.0`", "  ├─▶ The build backend returned an error", *lines]
    for line in ["[2/2] RUN uv pip install", *(f"0.100 {line}" for line in said), "ERROR: exit code: 1"]:
        progress.feed(f"#5 {line}\n")
    told = "Step 2/2: Installing packages: Failed to build `thing==1.0`: error: command 'gcc' failed (exit code: 1)"
    assert progress.failure() == told


def test_a_failure_without_a_step_says_what_the_command_said():
    progress = Progress({})
    assert progress.feed("ERROR: no space left on device\n") == []
    assert progress.failure() == "ERROR: no space left on device"
