"""The ways by which a base comes to a host: registry, archive, build; each checked, done, and done again."""

from __future__ import annotations

import contextlib
import io
import json
import platform
import secrets
import tarfile
import time
from pathlib import Path

import docker
import pytest
import yaml

from ansible_collections.myjupyter.fleet.plugins.module_utils import _engine
from ansible_collections.myjupyter.fleet.plugins.module_utils.base import _rootfs
from tests.conftest import ModuleFailed
from tests.integration.images import save

ROLE = Path(__file__).parent.parent.parent / "roles/jupyter_base"
FILES = yaml.safe_load((ROLE / "vars/main.yml").read_text())["jupyter_base__files"]
CONTEXT = {name: (ROLE / "files/base" / name).read_text() for name in FILES}
ROOTFS = f"myjupyter-rootfs:{platform.freedesktop_os_release()['VERSION_CODENAME']}"
NOWHERE = "127.0.0.1:1/jupyter/base-notebook"


@pytest.fixture(scope="module")
def client():
    return docker.from_env()


@pytest.fixture
def name(client):
    """A name for a base; what bears it is gone after the test."""
    repository = f"base-test-{secrets.token_hex(4)}"
    yield f"{repository}:latest"
    for image in client.images.list(repository):
        for tag in [tag for tag in image.tags if tag.startswith(f"{repository}:")]:
            client.images.remove(tag)


@pytest.fixture
def small(client):
    """A small image in the place of a base, and how to make another."""
    made = []

    def make():
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            content = secrets.token_bytes(1000)
            member = tarfile.TarInfo("file")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        answer = client.api.import_image_from_data(packed.getvalue())
        made.append(json.loads(answer.splitlines()[-1])["status"])
        return made[-1]

    yield make
    for image in made:
        with contextlib.suppress(docker.errors.ImageNotFound):
            client.images.remove(image, force=True)


def push(client, image, reference):
    """Put an image into a registry, and forget its name here."""
    client.images.get(image).tag(reference)
    assert "error" not in client.images.push(reference)
    client.images.remove(reference)


@pytest.fixture
def base(run_module, name):
    """The module on a name of its own; nothing can be pulled unless a test says from where."""

    def run(check=False, **options):
        usual = {"name": name, "registry_image": NOWHERE, "context": CONTEXT}
        return run_module("base", check=check, **{**usual, **options})

    return run


def id_of(client, name):
    images = client.images.list(filters={"reference": name})
    return images[0].id if images else ""


def test_from_a_registry(client, base, name, small, registry):
    reference = f"{registry}/{name}"
    first = small()
    push(client, first, reference)

    said = base(check=True, registry_image=reference)
    assert said["changed"] and said["source"] == "registry" and said["diff"]["before"] == "absent\n"
    assert id_of(client, name) == ""

    done = base(registry_image=reference)
    assert done["changed"] and done["source"] == "registry"
    assert done["id"] == id_of(client, name) == first

    for check in (True, False):
        again = base(check=check, registry_image=reference)
        assert not again["changed"] and again["source"] == "present" and not again["diff"]

    assert not base(registry_image=reference, refresh=True, check=True)["changed"], "the registry has no other"
    assert not base(registry_image=reference, refresh=True)["changed"]
    second = small()
    push(client, second, reference)
    client.images.get(first).tag(reference)
    assert not base(registry_image=reference, source="registry")["changed"]
    assert base(registry_image=reference, refresh=True, check=True)["changed"]
    assert base(registry_image=reference, refresh=True)["id"] == second
    client.images.remove(reference)


def test_a_version_from_a_registry(client, base, small, registry):
    reference = f"{registry}/jupyter/base"
    image = small()
    push(client, image, f"{reference}:lab-4.6.1")
    done = base(registry_image=reference, jupyterlab_version="4.6.1")
    assert done["source"] == "registry" and done["id"] == image
    said = base(check=True, registry_image=reference, jupyterlab_version="4.5")
    assert said["source"] == "build", "there is no such tag, so auto goes on"
    client.images.remove(f"{reference}:lab-4.6.1")


def test_from_an_archive(client, base, name, small, tmp_path):
    other, image = small(), small()
    names = [name.replace(":latest", ":other"), name]
    for each, tag in zip((other, image), names):
        client.images.get(each).tag(tag)
    archive = tmp_path / "base.tar"
    save(archive, *names)
    for each in (other, image):
        client.images.remove(each, force=True)

    said = base(check=True, archive=str(archive))
    assert said["changed"] and said["source"] == "archive" and NOWHERE in said["reason"]
    assert id_of(client, name) == ""

    done = base(archive=str(archive))
    assert done["changed"] and done["id"] == id_of(client, name) == image

    for source in ("auto", "archive"):
        for check in (True, False):
            assert not base(check=check, archive=str(archive), source=source)["changed"]
    for check in (True, False):
        assert not base(check=check, archive=str(archive), refresh=True)["changed"], "it holds the same image"
    assert id_of(client, names[0]) == "", "which nobody asked for"
    archive.write_bytes(b"no archive")
    for check in (True, False):
        with pytest.raises(ModuleFailed, match="^archive: '.*' is no image that `docker save` wrote"):
            base(check=check, archive=str(archive), refresh=True)


def test_an_image_of_others_stays(client, base, name, small):
    image = small()
    client.images.get(image).tag(name)
    kept = base()
    assert not kept["changed"] and kept["id"] == image
    assert "made by others" in kept["reason"]
    assert base(check=True, source="build")["changed"]


def test_build(client, base, name):
    """Create, modify, make anew; each first checked, then done, then done again. From real mirrors and PyPI."""
    said = base(check=True)
    assert said["changed"] and said["source"] == "build"
    assert NOWHERE in said["reason"]
    assert id_of(client, name) == ""

    done = base()
    assert done["changed"] and done["source"] == "build" and done["id"] == id_of(client, name)
    for source in ("auto", "build"):
        assert not base(check=True, source=source)["changed"]
        assert not base(source=source)["changed"]

    other = {"jupyterlab_version": "4.4", "source": "build"}
    assert base(check=True, **other)["changed"] and id_of(client, name) == done["id"]
    modified = base(**other)
    assert modified["changed"] and modified["id"] not in ("", done["id"])
    assert not base(check=True, **other)["changed"] and not base(**other)["changed"]
    version = client.containers.run(name, ["jupyter", "lab", "--version"], remove=True)
    assert version.startswith(b"4.4.")

    rootfs = id_of(client, ROOTFS)
    assert base(check=True, refresh=True, **other)["changed"] and id_of(client, name) == modified["id"]
    fresh = base(refresh=True, **other)
    assert fresh["changed"] and fresh["id"] == id_of(client, name) != modified["id"]
    assert id_of(client, ROOTFS) != rootfs
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(modified["id"])
    sources = client.containers.run(name, ["cat", "/etc/apt/sources.list"], remove=True).decode().split()
    assert "deb" in sources and not {"stable", "nodistro"} & set(sources)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"jupyterlab_version": "3.6"}, "jupyterlab_version: '3.6'"),
        ({"release": "buster"}, "release: 'buster'"),
        ({"source": "archive"}, "archive: '' names no file"),
        ({"source": "archive", "archive": "/nowhere.tar"}, "archive: '/nowhere.tar' is no file on this host"),
        ({"source": "archive", "archive": "/etc/hostname"}, "/etc/hostname"),
        ({"source": "registry"}, f"The image {NOWHERE}"),
        ({"source": "build", "release": "noble"}, "release: 'noble' cannot be built on this host"),
        ({"source": "build", "packages": ["no-such-package-at-all"]}, "mmdebstrap could not make"),
        ({"source": "build", "jupyterlab_version": "4.999"}, "jupyterlab==4.999.*"),
        ({"source": "build", "context": {}}, "context: [] has no Dockerfile"),
    ],
)
def test_refused(client, base, name, options, said):
    rootfs = id_of(client, ROOTFS)
    with pytest.raises(ModuleFailed) as failed:
        base(**options)
    assert said in str(failed.value)
    assert id_of(client, name) == "" and id_of(client, ROOTFS) == rootfs


def test_a_program_that_ends_its_process_group_ends_nothing_else():
    """As mmdebstrap does when an engine whose disk is full hangs up."""
    connected = _engine.connect(_engine.find({}))
    image, said = _rootfs._import(connected, ["sh", "-c", "tar -cT /dev/null; echo E: so >&2; kill 0"], [], print)
    assert (image, said) == ("", ["E: so\n"])


def test_a_check_where_there_is_no_engine(base):
    said = base(check=True, docker_host="unix:///nowhere.sock")
    assert said["changed"] and said["source"] == "registry" and said["id"] == ""
    with pytest.raises(ModuleFailed, match="No Docker Engine listens at /nowhere.sock"):
        base(docker_host="unix:///nowhere.sock")


PLAY = [{"hosts": "localhost", "gather_facts": False, "roles": [{"role": "myjupyter.fleet.jupyter_base"}]}]


@pytest.fixture
def play(playbook, name, tmp_path):
    """The role on a name of its own; its output."""
    (tmp_path / "play.yml").write_text(json.dumps(PLAY))

    def run(*arguments, **variables):
        said = json.dumps({"jupyter_base_name": name, "jupyter_base_registry_image": NOWHERE, **variables})
        return playbook(tmp_path / "play.yml", "-e", said, *arguments).stdout

    return run


def test_role_builds_once(client, play, name):
    assert "changed=1 " in play("--check") and id_of(client, name) == ""
    out = play()
    assert f"Bring the base: build ({NOWHERE} cannot be had" in out
    assert id_of(client, name)
    began = time.monotonic()
    again = play()
    assert "changed=0 " in again
    assert time.monotonic() - began < 10


def test_role_brings_an_archive_of_the_controller(client, play, name, small, tmp_path):
    image = small()
    client.images.get(image).tag("carried:here")
    archive = tmp_path / "base.tar"
    archive.write_bytes(b"".join(client.images.get("carried:here").save(named=True)))
    client.images.remove(image, force=True)
    options = {"jupyter_base_archive": str(archive), "jupyter_base_archive_on_host": False}
    assert "changed=" in play("--check", **options) and id_of(client, name) == ""
    play(**options)
    assert id_of(client, name) == image and not list(Path("/var/tmp").glob("myjupyter-base-*"))
    assert "changed=0 " in play(**options)
