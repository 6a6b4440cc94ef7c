"""The module `image_push` against a real engine and a registry on this machine."""

from __future__ import annotations

import pytest


@pytest.fixture
def made(images, registry):
    """An image whose own name is one of the registry, and that name; both are gone afterwards."""
    reference = f"{registry}/{images.name}:latest"
    yield images.image(name=reference, environment={"A": "1"})["image"]["id"], reference
    for item in images.engine.images(f"{registry}/{images.name}"):
        images.engine.remove_image(item["Id"], force=True)


def test_names_stay_as_they_were(images, run_module, registry, made):
    image, reference = made
    tags = images.inspect(image)["RepoTags"]
    asked = {"name": reference, "registry": registry}
    foreseen = run_module("image_push", check=True, **asked)
    done = run_module("image_push", **asked)
    assert foreseen["steps"] == done["steps"] and len(done["steps"]) == 2
    assert images.inspect(image)["RepoTags"] == tags, "the image's own name, and no other"
    for check in (True, False):
        assert not run_module("image_push", check=check, **asked)["changed"]

    other = images.image(environment={"A": "2"})["image"]["id"]
    run_module("image_push", name=images.name, registry=registry)
    assert images.inspect(reference)["Id"] == image, "somebody's own name for another image"
    assert not [tag for tag in images.inspect(other)["RepoTags"] if tag.startswith(registry)]
