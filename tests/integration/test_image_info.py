"""The module `image_info` against a real engine."""

from __future__ import annotations

import pytest

from tests.conftest import ModuleFailed


def test_it_tells_what_an_image_is(images, run_module):
    old = images.image(requirements=["cowsay==6.0"])["image"]
    new = images.image(requirements=["cowsay==6.1"])["image"]
    container = images.engine.create_container(old["id"], "true", name=f"{images.name}-user")["Id"]
    try:
        for check in (False, True):
            result = run_module("image_info", names=[images.name], check=check)
            assert not result["changed"]
            first, second = result["images"]
            assert (first["id"], second["id"]) == (new["id"], old["id"])
            assert (first["current"], second["current"]) == (True, False)
            assert (first["containers"], second["containers"]) == ([], [f"{images.name}-user"])
            assert first["packages"]["cowsay"] == "6.1" and first["packages"]["jupyterlab"] == first["jupyterlab"]
            assert first["declaration"] == {"base": images.base, "requirements": ["cowsay==6.1"]}
            assert first["layers"] == images.inspect()["RootFS"]["Layers"]
            assert first["recipe"] == new["recipe"] and first["python"].startswith("3.")
            assert not first["base_changed"]
    finally:
        images.engine.remove_container(container)
    own = run_module("image_info")["images"]
    assert {old["id"], new["id"]} <= {image["id"] for image in own}
    assert len(run_module("image_info", names=[f"docker.io/library/{images.name}"])["images"]) == 2
    assert run_module("image_info", names=[f"{images.name}:nosuchtag"])["images"] == []
    images.engine.import_image_from_data(b"\0" * 10240, repository=f"{images.name}-foreign", tag="1")
    foreign = run_module("image_info", names=[f"{images.name}-foreign:1"])["images"][0]
    assert foreign["name"] == f"{images.name}-foreign" and foreign["recipe"] == "" and foreign["packages"] == {}


def test_a_base_that_moved_on_shows(images, run_module, other_image):
    images.engine.tag(images.base, images.name, "base")
    images.image(base=f"{images.name}:base", environment={"A": "1"})
    images.engine.tag(other_image, images.name, "base")
    told = run_module("image_info", names=[f"{images.name}:latest"])["images"][0]
    assert told["base_changed"]
    assert images.image(check=True, base=f"{images.name}:base", environment={"A": "1"})["changed"]


def test_bad_input_and_no_engine(images, run_module, tmp_path):
    with pytest.raises(ModuleFailed, match="names: 'A B' is no name of an image"):
        run_module("image_info", names=["A B"])
    assert run_module("image_info", check=True, docker_host=f"unix://{tmp_path}/none.sock")["images"] == []
