"""A bundle's words: what is asked of one, what it says of itself, which hosts it serves."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.myjupyter.fleet.plugins.module_utils.bundle import _bundle, _debs, _wheels
from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _bundled

OPTIONS = {
    "path": "/b",
    "releases": ["bookworm", "bookworm"],
    "images": {"k": {"name": "lab", "hosts": ["one", "two"]}},
    "engine_version": "",
    "packages": ["git"],
    "recommends": True,
    "collection": "/c",
    "requirements": "ansible-core\n",
}
ONE, TWO = "1" * 64, "2" * 64
SAID = {"MANIFEST.json": ONE, "images/k/x": TWO}
URIS = """\
Reading package lists...
Need to get 0 B/66.6 MB of archives.
'file:/x/./zlib1g_1%253a1.2_amd64.deb' zlib1g_1%3a1.2_amd64.deb 100
'http://mirror/pool/t/tini/tini_0.19.0-1+b3_amd64.deb' tini_0.19.0-1+b3_amd64.deb 200 SHA256:abc
W: a warning
"""
REQUIREMENTS = """\
# What is needed.
ansible-core==2.19.14; python_version < "3.12"
ansible-core==2.21.5; python_version >= "3.12"
jmespath==1.1.0           # to select labs
"""
FACTS = {
    "ansible_architecture": "x86_64",
    "ansible_distribution": "Debian",
    "ansible_distribution_release": "bookworm",
}


def wanted(**options):
    return _bundle.parse({**OPTIONS, **options})


def test_names():
    assert wanted().releases == ("bookworm",)
    said = _bundle.names(wanted(), "bookworm")
    assert {"docker.io", "iptables", "python3-docker", "python3-apt", "python3-venv", "git"} <= set(said)
    assert {"docker-cli", "docker-buildx"} <= set(_bundle.names(wanted(), "trixie"))
    assert "docker.io=20.10*" in _bundle.names(wanted(engine_version="20.10"), "bookworm")


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"releases": ["sid"]}, "releases: 'sid' cannot be bundled: packages are taken for bookworm, trixie"),
        ({"packages": ["a b"]}, "packages: 'a b' cannot be the name of a package"),
        ({"engine_version": "a b"}, "engine_version: 'a b' is no version"),
    ],
)
def test_bad_input(options, sentence):
    with pytest.raises(FleetError, match=sentence):
        wanted(**options)


def test_sums_are_those_of_sha256sum_and_come_back():
    text = _bundle.sums_text(SAID)
    assert text.splitlines()[0] == f"{ONE}  MANIFEST.json"
    assert _bundle.read_sums("/b", text) == SAID


@pytest.mark.parametrize("name", ["packages/../../victim", "/etc/passwd"])
def test_sums_of_what_is_outside_are_none(name):
    with pytest.raises(FleetError, match="bundle: /b/SHA256SUMS is damaged"):
        _bundle.read_sums("/b", f"{ONE}  MANIFEST.json\n{ONE}  {name}\n")


@pytest.mark.parametrize("text", ["", "nonsense\n", f"{ONE}  README.md\n", f"{ONE[:-1]}  MANIFEST.json\n"])
def test_sums_that_are_none(text):
    with pytest.raises(FleetError, match="bundle: /b/SHA256SUMS is damaged"):
        _bundle.read_sums("/b", text)


@pytest.mark.parametrize(
    "found, sentence",
    [
        (SAID, ""),
        ({**SAID, "note.txt": ONE}, ""),
        ({**SAID, "images/k/x": ONE}, "/b/images/k/x is damaged: copy it again, or make the bundle again."),
        ({"images/k/x": ONE}, "/b/MANIFEST.json is missing (1 more file is not whole): copy"),
        ({}, "(1 more file is not whole)"),
    ],
)
def test_trouble(found, sentence):
    said = _bundle.trouble("/b", SAID, found)
    assert sentence in said and bool(sentence) == bool(said)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 9}', "has the format 9, and this release reads 1"),
    ],
)
def test_manifests_of_others(text, sentence):
    with pytest.raises(FleetError, match=sentence):
        _bundle.read_manifest("/b", text)


def test_a_manifest_and_its_readme():
    said = _bundle.manifest(wanted(), "x86_64", "0.1.0")
    assert _bundle.read_manifest("/b", _bundle.as_json(said)) == said
    sizes = {"packages/bookworm/a.deb": 3_000_000, "images/k/x": 2_000_000, "collection/c.tar.gz": 0}
    text = _bundle.readme(said, sizes)
    for part in (
        "5 MB, for hosts with x86_64",
        "bookworm (3 MB)",
        "`lab` for one, two (2 MB)",
        "`collection/c.tar.gz`",
    ):
        assert part in text


def test_the_files_of_images():
    parcel = {"config": "sha256:c", "layers": ["l"], "blobs": {"l": "sha256:b"}}
    assert _bundle.files_of(_bundle.as_json([{"parcel": parcel}])) == {"sha256-c", "sha256-b"}


def test_what_apt_would_fetch():
    found = _debs.files(URIS)
    assert found == [_debs.Deb("zlib1g_1%3a1.2_amd64.deb", 100), _debs.Deb("tini_0.19.0-1+b3_amd64.deb", 200)]
    assert _debs.lacking(found, {"zlib1g_1%3a1.2_amd64.deb": 100, "tini_0.19.0-1+b3_amd64.deb": 1}) == found[1:]


def test_mirrors_of_a_cloud_have_other_addresses():
    place = "mirror+file:/etc/apt/mirrors/debian.list/pool/main/t"
    line = f"'{place}/tini_0.19.0-1_amd64.deb' tini_0.19.0-1_amd64.deb 200 SHA256:0"
    assert _debs.files(line) == [_debs.Deb("tini_0.19.0-1_amd64.deb", 200)]


@pytest.mark.parametrize(
    "part, name, ours",
    [
        ("images", "0123456789ab", True),
        ("images", "photos", False),
        ("images/0123456789ab", "sha256-0f", True),
        ("images/0123456789ab", "notes.txt", False),
        ("packages", "bookworm", True),
        ("packages", "mine", False),
        ("packages/bookworm", "tini_0.19.0-1_amd64.deb", True),
        ("packages/bookworm", "mine.tar", False),
        ("collection", "myjupyter-fleet-0.1.0.tar.gz", True),
        ("collection", "other-fleet-0.1.0.tar.gz", False),
        ("wheels", "jmespath-1.0.1-py3-none-any.whl", True),
        ("wheels", "index.html", False),
    ],
)
def test_what_a_bundle_may_remove(part, name, ours):
    assert _bundle.is_ours(part, name) == ours


def test_an_index_names_its_files():
    debs = [_debs.Deb("b_1%3a2_all.deb", 2, "Package: b\n", ONE), _debs.Deb("a.deb", 1, "Package: a", TWO)]
    text = _debs.index(debs)
    assert text.startswith(f"Package: a\nFilename: ./a.deb\nSize: 1\nSHA256: {TWO}\n\nPackage: b\n")
    assert _debs.indexed(text) == {"a.deb", "b_1%3a2_all.deb"} and _debs.indexed("") == set()


def test_a_hosts_own_settings_are_heeded_where_they_are_about_installing():
    kept = ['APT::Install-Recommends "false";', 'DPkg::Options:: "--force-confold";']
    dump = "\n".join([kept[0], 'Dir::Cache "x";', 'APT::Default-Release "y";', kept[1]])
    said = _debs.own_settings("/f", dump)
    assert said.startswith("\n".join(kept) + "\nDir::")
    assert 'Dir::Etc::sourcelist "/f/apt/sources.list";' in said and "Default-Release" not in said


def test_the_errors_of_apt():
    assert _debs.errors("Reading...\nE: one\nE: two\nE: one\n") == "one two"
    assert _debs.errors(" a : Depends: b (>= 2)\nE: Unable") == "a : Depends: b (>= 2) Unable"
    assert _debs.errors("nothing of that") == "nothing of that"


@pytest.mark.parametrize(
    "releases, own, told",
    [
        (("bookworm", "trixie"), (3, 11), [(3, 11), (3, 13)]),
        (("jammy",), (3, 12), [(3, 12)]),
        ((), (3, 14), [(3, 14)]),
    ],
)
def test_pythons_of_a_controller(releases, own, told):
    assert _wheels.pythons(releases, own) == told


def test_pins_hold_for_the_python_that_is_meant():
    assert _wheels.pins(REQUIREMENTS, (3, 11)) == ["ansible-core==2.19.14", "jmespath==1.1.0"]
    assert _wheels.pins(REQUIREMENTS, (3, 13)) == ["ansible-core==2.21.5", "jmespath==1.1.0"]
    assert "Python 3.11, 3.13." in _wheels.stamp(REQUIREMENTS, [(3, 11), (3, 13)])
    assert "manylinux_2_34_x86_64" in _wheels.platforms("x86_64")


class Broken(dict):
    """The variables of a host of which one cannot be read."""

    def get(self, name, default=None):
        raise ValueError(name)


@pytest.mark.parametrize(
    ("hostvars", "expected"),
    [
        ({"a": {}, "b": {}}, ""),
        ({"a": {"jupyter_image_name": "x"}, "b": {"jupyter_image_name": "y"}}, "a and b differ in jupyter_image_name,"),
        (
            {"a": {"jupyter_image_requirements": ["y"]}, "b": {}, "c": {"jupyter_image_requirements": ["x"]}},
            "a and c differ in jupyter_image_requirements,",
        ),
        ({"a": {"jupyter_image_requirements": ["y"]}, "b": {"jupyter_image_requirements": []}}, ""),
        (
            {"a": {"jupyter_image_delivery": "stream"}, "b": {"jupyter_image_delivery": "build"}},
            "jupyter_image_delivery",
        ),
        (
            {
                "a": {"jupyter_image_delivery": "stream", "jupyter_image_builder": "b"},
                "b": {"jupyter_image_delivery": "build", "jupyter_image_builder": "b"},
            },
            "",
        ),
        ({"a": {"jupyter_image_name": "x"}, "b": Broken(), "c": {"jupyter_image_name": "x"}}, ""),
    ],
)
def test_one_image_goes_to_all(hostvars, expected):
    said = _bundled.mixture(hostvars, hostvars)
    assert expected in said and bool(said) == bool(expected)


def test_hosts_with_the_same_recipe_share_an_image():
    said = {"jupyter_image_requirements": ["pandas"], "jupyter_image_packages": []}
    hostvars = {"a": said, "b": {**said, "jupyter_image_index_url": "https://x/", "jupyter_image_delivery": "stream"}}
    hostvars["c"] = {**said, "jupyter_image_name": "gpu"}
    found = _bundled.images(["a", "b", "c"], hostvars)
    assert [(image["name"], image["hosts"]) for image in found.values()] == [("myjupyter", ["a", "b"]), ("gpu", ["c"])]
    assert "pandas" not in str(found)


@pytest.mark.parametrize(
    "facts, variables, sentence",
    [
        ({}, {}, ""),
        ({"ansible_architecture": "aarch64"}, {}, "it is for x86_64, and one is aarch64: make one on a machine"),
        ({"ansible_distribution_release": "sid"}, {}, "it has packages for bookworm, and one runs Debian sid: make it"),
        ({}, {"jupyter_image_packages": ["git"]}, "jupyter_image_packages of one is not what the bundle was made with"),
    ],
)
def test_which_hosts_a_bundle_serves(facts, variables, sentence):
    hostvars = {"one": {"jupyter_image_requirements": ["pandas"]}}
    manifest = {"machine": "x86_64", "releases": ["bookworm"], "images": _bundled.images(["one"], hostvars)}
    said = _bundled.refusal(manifest, "one", {"one": {**hostvars["one"], **variables}}, {**FACTS, **facts})
    assert sentence in said and bool(sentence) == bool(said)


def test_a_bundle_without_packages_serves_every_release():
    manifest = {"machine": "x86_64", "releases": [], "images": _bundled.images(["one"], {"one": {}})}
    assert _bundled.refusal(manifest, "one", {"one": {}}, {**FACTS, "ansible_distribution_release": "x"}) == ""
