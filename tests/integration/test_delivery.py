"""Images given out and taken in, layer by layer, by a real engine that forgets them in between."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _receiver
from tests.conftest import ModuleFailed

from .images import action


class Way:
    """From an engine into a folder and back."""

    def __init__(self, images, folder):
        self.images, self.folder = images, str(folder)

    def give(self, layers, **options):
        wanted = {"name": self.images.name, "dest": self.folder, "layers": layers}
        return action("image_export", **{**wanted, **options})

    def take(self, image, parcel=None, **options):
        wanted = {"name": self.images.name, "image": image, "parcel": parcel or {}, "src": self.folder}
        return action("image_import", **{**wanted, **options})


@pytest.fixture
def way(images, tmp_path):
    return Way(images, tmp_path / "layers")


@pytest.fixture
def by_place(engine):
    """An engine that finds a layer by all layers below it."""
    if any(value.startswith("io.containerd") for _name, value in engine.info()["DriverStatus"]):
        pytest.skip("what is built on an engine with containerd is not noted; test_fleet_delivery.py has such engines")


@pytest.fixture
def built(images):
    """An image with one layer more than its base."""
    return images.image(post_build=[f"echo hello {images.name} > $HOME/greeting"])["image"]


@pytest.mark.usefixtures("by_place")
def test_what_is_lacking_is_told(images, way, built):
    assert way.take(built)["lacking"] == [], "it is here"
    images.image(state="absent")
    foretold = way.take(built, check=True)
    assert foretold["changed"] and foretold["lacking"] == built["layers"][-1:], "the base is here"


@pytest.mark.usefixtures("by_place")
def test_a_lacking_layer_is_given_out_and_loaded(images, way, built):
    said = way.give([built["layers"][-1]], check=True)
    assert said["changed"] and not os.path.exists(way.folder)
    packed = way.give([built["layers"][-1]])
    assert sorted(os.listdir(way.folder)) == sorted(os.path.basename(path) for path in packed["files"].values())
    assert len(packed["files"]) == 2, "the layer, and the configuration"

    images.image(state="absent")
    taken = way.take(built, packed["parcel"])
    assert taken["steps"] == [f"bring {images.name}:latest"]
    there = images.inspect()
    assert there["Id"] == built["id"] and there["RootFS"]["Layers"] == built["layers"]
    assert sorted(there["RepoTags"]) == built["tags"]
    assert images.run("cat greeting 2>/dev/null || cat $HOME/greeting") == f"hello {images.name}"
    for check in (True, False):
        again = way.take(built, packed["parcel"], check=check)
        assert not again["changed"] and again["lacking"] == again["steps"] == []


def test_nothing_is_given_out_where_nothing_lacks(way, built):
    for check in (True, False):
        said = way.give([], check=check)
        assert not said["changed"] and said["files"] == {}


@pytest.mark.usefixtures("by_place")
def test_an_image_of_layers_that_are_here_is_its_configuration(images, way):
    built = images.image(environment={"NEW": "1"})["image"]
    assert way.give([], configuration=True, check=True)["changed"]
    packed = way.give([], configuration=True)
    assert list(packed["files"]) == [packed["parcel"]["config"]]
    images.image(state="absent")
    assert way.take(built, check=True)["lacking"] == []
    assert way.take(built, packed["parcel"])["changed"] and images.inspect()["Id"] == built["id"]


def test_a_check_may_come_before_the_image_and_the_engine(images, way):
    for where in ({}, {"docker_host": "unix:///no/such.sock"}):
        assert way.give([], configuration=True, check=True, name=f"{images.name}-none", **where)["changed"]


def test_what_the_controller_has_is_not_made_again(way, built):
    first = way.give([built["layers"][-1]])
    again = way.give([built["layers"][-1]])
    assert again["files"] == {} and again["parcel"] == first["parcel"] and not again["changed"]
    layer = first["parcel"]["blobs"][built["layers"][-1]]
    with open(first["files"][layer], "r+b") as file:
        file.truncate(10)
    assert list(way.give([built["layers"][-1]])["files"]) == [layer], "but for what is no longer whole"


@pytest.fixture
def committed(images, base):
    """An image with one layer more than its base, which no cache of a builder keeps when it is gone."""
    box = images.engine.create_container(base, ["sh", "-c", "head -c 1000 /dev/urandom > /tmp/x"], entrypoint=[])["Id"]
    images.engine.start(box)
    images.engine.wait(box)
    images.engine.commit(box, images.name)
    images.engine.remove_container(box)
    about = images.engine.inspect_image(images.name)
    return {"id": about["Id"], "layers": about["RootFS"]["Layers"], "tags": about["RepoTags"]}


@pytest.mark.usefixtures("by_place")
def test_a_layer_that_is_not_what_it_should_be_is_never_loaded(images, way, committed):
    packed = way.give([committed["layers"][-1]])
    images.engine.remove_image(images.name)
    broken = packed["files"][packed["parcel"]["blobs"][committed["layers"][-1]]]
    with open(broken, "r+b") as file:
        file.truncate(100)
    with pytest.raises(ModuleFailed, match="The engine would not load"):
        way.take(committed, packed["parcel"])
    assert images.ids() == set()


def test_an_engine_that_gives_no_layers_out_gives_the_whole_image(images, way, built):
    with socket.create_server(("127.88.88.88", 8888)):
        packed = way.give(built["layers"][-1:])
    assert "Nobody can listen" in packed["said"] and "So the whole image is brought." in packed["said"]
    assert list(packed["parcel"]) == ["archive"] and os.listdir(way.folder) == [
        packed["parcel"]["archive"].replace(":", "-")
    ]
    again = way.give(built["layers"][-1:], whole=True)
    assert again["files"] == {} and again["parcel"] == packed["parcel"], "it is not made again"

    images.image(state="absent")
    way.take(built, packed["parcel"])
    there = images.inspect()
    assert there["RootFS"]["Layers"] == built["layers"] and sorted(there["RepoTags"]) == built["tags"]


def test_what_is_no_layer_stays_beside_them(way, built):
    os.makedirs(f"{way.folder}/folder", exist_ok=True)
    kept, old, cut = "thesis.ipynb", f"sha256-{'0' * 64}", f"sha256-{'1' * 64}.part"
    for name in (kept, old, cut):
        Path(way.folder, name).touch()
    way.give(built["layers"][-1:])
    there = os.listdir(way.folder)
    assert {kept, "folder"} < set(there) and not {old, cut} & set(there)


def test_a_delivery_waits_for_another_one(way, built, tmp_path):
    with ThreadPoolExecutor() as pool:
        with _receiver.listening(_receiver.Receiver(str(tmp_path), lambda _digest: True)):
            giving = pool.submit(way.give, built["layers"][-1:])
            time.sleep(_receiver.PATIENCE + 2)
            assert not giving.done()
        assert "archive" not in giving.result()["parcel"]


def test_older_images_are_kept_to_a_number(images, way, built):
    newer = images.image(post_build=["echo bye > $HOME/greeting"])["image"]
    assert way.take(newer, keep=3)["steps"] == []
    foretold = way.take(newer, keep=0, check=True)
    done = way.take(newer, keep=0)
    assert foretold["steps"] == done["steps"] and len(done["steps"]) == 1
    assert images.ids() == {newer["id"]}


def test_what_does_not_fit_is_refused(images, way, built):
    with pytest.raises(ModuleFailed, match="layers: 'sha256:none' is no layer of"):
        way.give(["sha256:none"])
    with pytest.raises(ModuleFailed, match="is no image of this host: build it first"):
        way.give([], name=f"{images.name}-none")
    images.image(state="absent")
    with pytest.raises(ModuleFailed, match="parcel: None is what myjupyter.fleet.image_export returned"):
        way.take(built)
    with pytest.raises(ModuleFailed, match="name: 'No Name' is no name for an image"):
        way.take(built, name="No Name")


def test_a_host_without_an_engine(way, built):
    said = way.take(built, check=True, docker_host="unix:///no/such.sock")
    assert said["changed"] and said["lacking"] == built["layers"]
    with pytest.raises(ModuleFailed, match="Could not ask the engine at unix:///no/such.sock: .*docker_host names"):
        way.take(built, docker_host="unix:///no/such.sock")
