"""A base as asked for: refused input, what names a build, which of a host's mirrors serve it."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils import _engine
from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import BuildError, InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.base import _base, _bring
from ansible_collections.myjupyter.fleet.plugins.module_utils.base._base import Target
from ansible_collections.myjupyter.fleet.plugins.module_utils.dockerd import _packages

OPTIONS = {
    "name": "myjupyter-base",
    "source": "auto",
    "registry_image": "quay.io/jupyter/base-notebook:latest",
    "archive": "",
    "release": "",
    "jupyterlab_version": "",
    "packages": [],
    "context": {"Dockerfile": "FROM scratch"},
    "refresh": False,
    "log": None,
}
BOOKWORM = _packages.Release("Debian GNU/Linux 12", "debian", "debian", "bookworm")
NOBLE = _packages.Release("Ubuntu 24.04", "debian", "ubuntu", "noble")
FEDORA = _packages.Release("Fedora Linux 42", "redhat", "fedora")


def base(**options):
    return _base.parse({**OPTIONS, **options})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"jupyterlab_version": "3.6"}, "jupyterlab_version: '3.6' is no JupyterLab 4"),
        ({"jupyterlab_version": "4.6.1.2"}, "jupyterlab_version: '4.6.1.2'"),
        ({"jupyterlab_version": "latest"}, "jupyterlab_version: 'latest'"),
        ({"jupyterlab_version": "4.6 --index-url x"}, "jupyterlab_version"),
        ({"release": "buster"}, "release: 'buster' is not one of bookworm, trixie, jammy, noble, resolute"),
        ({"packages": ["git", "--force"]}, "packages: '--force' cannot be the name"),
        ({"source": "archive"}, "archive: '' names no file"),
        ({"context": {}}, "context: [] has no Dockerfile"),
        ({"name": "My Base"}, "name: 'My Base' is no name for an image"),
        ({"registry_image": "https://quay.io/x"}, "registry_image: 'https://quay.io/x' is no name of an image"),
    ],
)
def test_refused(options, said):
    with pytest.raises(InvalidInput) as refused:
        base(**options)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("source", ["registry", "archive"])
def test_no_context_is_needed_without_a_build(source):
    assert base(source=source, archive="/x.tar", context={}).source == source


@pytest.mark.parametrize(
    ("version", "requirement", "reference"),
    [
        ("", "jupyterlab", "quay.io/jupyter/base-notebook:latest"),
        ("4", "jupyterlab==4.*", "quay.io/jupyter/base-notebook:lab-4"),
        ("4.6", "jupyterlab==4.6.*", "quay.io/jupyter/base-notebook:lab-4.6"),
        ("4.6.1", "jupyterlab==4.6.1", "quay.io/jupyter/base-notebook:lab-4.6.1"),
        ("4.7.0rc1", "jupyterlab==4.7.0rc1", "quay.io/jupyter/base-notebook:lab-4.7.0rc1"),
    ],
)
def test_version(version, requirement, reference):
    asked = base(jupyterlab_version=version)
    assert (asked.requirement, asked.registry_reference) == (requirement, reference)


@pytest.mark.parametrize("tag", ["", ":x", "@sha256:" + "0" * 64])
def test_a_version_is_a_tag_of_the_registry_image(tag):
    image = f"localhost:5000/lab{tag}"
    assert base(registry_image=image, jupyterlab_version="4.6.1").registry_reference == "localhost:5000/lab:lab-4.6.1"


def test_name_has_a_tag():
    assert base().name == "myjupyter-base:latest"
    assert base().archive_mark == "myjupyter-base:from-archive"
    assert base(name="host:5000/base").name == "host:5000/base:latest"


@pytest.mark.parametrize(
    "other",
    [
        {"jupyterlab_version": "4.6"},
        {"release": "trixie"},
        {"packages": ["git"]},
        {"context": {"Dockerfile": "FROM scratch", "start.sh": ""}},
    ],
)
def test_other_inputs_make_another_digest(other):
    assert _base.digest(base(**other), BOOKWORM) != _base.digest(base(), BOOKWORM)


def test_what_does_not_make_the_image_does_not_change_the_digest():
    beside = {"source": "build", "registry_image": "x", "archive": "/y", "refresh": True}
    same = base(release="bookworm", packages=["python3"], **beside)
    assert _base.digest(same, BOOKWORM) == _base.digest(base(), BOOKWORM)


def test_a_root_filesystem_serves_every_jupyterlab():
    assert _base.rootfs_digest(base(jupyterlab_version="4.6"), "trixie") == _base.rootfs_digest(base(), "trixie")
    assert _base.rootfs_digest(base(packages=["git"]), "trixie") != _base.rootfs_digest(base(), "trixie")


@pytest.mark.parametrize(
    ("host", "wanted", "release"),
    [
        (BOOKWORM, "", "bookworm"),
        (BOOKWORM, "trixie", "trixie"),
        (NOBLE, "jammy", "jammy"),
        (_packages.Release("Debian GNU/Linux forky/sid", "debian", "debian", "forky"), "", "forky"),
    ],
)
def test_release(host, wanted, release):
    assert _base.release(base(release=wanted), host) == release


@pytest.mark.parametrize(("host", "wanted"), [(BOOKWORM, "noble"), (NOBLE, "trixie"), (FEDORA, ""), (FEDORA, "trixie")])
def test_release_that_the_host_has_no_mirror_of(host, wanted):
    with pytest.raises(BuildError, match=f"which runs {host.name}: take the base from a registry"):
        _base.release(base(release=wanted), host)


DEBIAN = """\
http://deb.example/debian/|bookworm|bookworm|main|Debian
http://deb.example/debian/|bookworm-updates|bookworm-updates|main|Debian
http://deb.example/security/|bookworm-security|bookworm-security|main|Debian
http://deb.example/debian/|bookworm-backports|bookworm-backports|main|Debian Backports
https://docker.example/debian/|bookworm|bookworm|stable|Docker
https://sql.example/debian/|bookworm|bookworm|main|MariaDB
https://node.example/|nodistro|nodistro|main|Node
"""
STABLE = "http://deb.example/debian/|stable|bookworm|main|Debian\nhttp://deb.example/debian/|sid|sid|main|Debian\n"
UBUNTU = """\
http://ubuntu.example/ubuntu/|noble|noble|main|Ubuntu
http://ubuntu.example/ubuntu/|noble|noble|universe|Ubuntu
http://ubuntu.example/ubuntu/|noble-updates|noble|main|Ubuntu
http://ubuntu.example/ubuntu/|noble-security|noble|main|Ubuntu
http://ubuntu.example/ubuntu/|noble-backports|noble|main|Ubuntu
https://ppa.example/|noble|noble|main|LP-PPA-somebody
"""
OWN = "http://mirror.corp/debian/|bookworm|bookworm|main|Corp\nhttps://docker.corp/|bookworm|bookworm|stable|Corp\n"


@pytest.mark.parametrize(
    ("listing", "host", "release", "lines"),
    [
        (
            DEBIAN,
            "bookworm",
            "bookworm",
            [
                "deb http://deb.example/debian/ bookworm main",
                "deb http://deb.example/debian/ bookworm-updates main",
                "deb http://deb.example/security/ bookworm-security main",
            ],
        ),
        (
            DEBIAN,
            "bookworm",
            "trixie",
            [
                "deb http://deb.example/debian/ trixie main",
                "deb http://deb.example/debian/ trixie-updates main",
                "deb http://deb.example/security/ trixie-security main",
            ],
        ),
        (STABLE, "bookworm", "bookworm", ["deb http://deb.example/debian/ bookworm main"]),
        (
            UBUNTU,
            "noble",
            "jammy",
            [
                "deb http://ubuntu.example/ubuntu/ jammy main",
                "deb http://ubuntu.example/ubuntu/ jammy universe",
                "deb http://ubuntu.example/ubuntu/ jammy-updates main",
                "deb http://ubuntu.example/ubuntu/ jammy-security main",
            ],
        ),
        (OWN, "bookworm", "bookworm", ["deb http://mirror.corp/debian/ bookworm main"]),
    ],
)
def test_sources(listing, host, release, lines):
    assert _base.sources(_base.targets(listing), host, release) == lines


@pytest.mark.parametrize("listing", ["", "https://docker.example/|bookworm|bookworm|stable|Docker\n", "noise\n"])
def test_no_sources(listing):
    with pytest.raises(BuildError, match="knows no archive of bookworm: run `apt-get update`"):
        _base.sources(_base.targets(listing), "bookworm", "bookworm")


def test_a_target_is_what_apt_prints():
    assert _base.targets("u|s|n|c|o\n\n") == [Target("u", "s", "n", "c", "o")]


@pytest.mark.parametrize("reason", ["no such host", "no such host."])
@pytest.mark.parametrize("version, said", [("4.6", f"no such host. {_bring.IN_FULL}"), ("4.6.1", None)])
def test_a_reason_and_its_hint_are_sentences(reason, version, said):
    wanted = _base.parse({**OPTIONS, "jupyterlab_version": version})
    assert _bring._hinted(reason, wanted) == (said or reason)


def test_an_engine_that_hangs_up_may_have_no_room():
    assert "docker system df" in _engine._advice("('Connection aborted.', BrokenPipeError(32, 'Broken pipe'))")
