"""Archives that `docker save` wrote: which image is meant, and what is refused by name."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _saved


def texts(*images, prefix=""):
    """The small files of an archive of images, each given by its names; a layer is called after its image's place."""
    config = {"os": "linux", "architecture": "amd64", "config": {"Labels": None}}
    files = {f"{place}.json": {**config, "rootfs": {"diff_ids": [place]}} for place in range(len(images))}
    manifest = [{"Config": f"{prefix}{place}.json", "RepoTags": names} for place, names in enumerate(images)]
    return {name: json.dumps(said).encode() for name, said in {**files, "manifest.json": manifest}.items()}


def write(path, files, prefix="", mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize(
    "images, place, others",
    [
        ([["lab:1"]], 0, ()),
        ([None], 0, ()),
        ([["a:1", "b:1"]], 0, ()),
        ([["a:1"], ["docker.io/library/lab:1", "b:1"], None], 1, ("a:1",)),
    ],
)
def test_which_image_is_meant(images, place, others):
    found = _saved.chosen("x.tar", _saved.held("x.tar", texts(*images)), "lab:1")
    assert found.content == {"layers": [place], "settings": {}, "labels": {}}
    assert (found.others, found.platform) == (others, "linux/amd64")


@pytest.mark.parametrize(
    "images, said",
    [
        ([["a:1"], ["b:1"]], r"holds 2 images \(a:1, b:1\), and not lab:1"),
        ([None, None], r"holds 2 images \(2 without a name\), and not lab:1: name one, or save one alone"),
        ([["a:1"], None], r"holds 2 images \(a:1, 1 without a name\), and not lab:1"),
    ],
)
def test_an_image_that_cannot_be_told_is_refused(tmp_path, images, said):
    with pytest.raises(InvalidInput, match=f"^archive: '.*' {said}"):
        _saved.find(write(tmp_path / "x.tar", texts(*images)), "lab:1")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_how_it_was_packed_is_no_matter(tmp_path, mode):
    files = {"0/layer.tar": b"\0" * (_saved.SMALL + 1), **texts(["lab:1"], prefix="./")}
    path = write(tmp_path / "x.tar", files, prefix="./", mode=mode)
    assert _saved.find(path, "other:1").names == ("lab:1",)
    whole = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "x.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="or not all of it"):
        _saved.find(path, "lab:1")


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is no image that `docker save` wrote"),
        (b"#!/bin/sh\n" * 100, "is no image that `docker save` wrote"),
        (b"\x28\xb5\x2f\xfd....", "is packed with zstd: unpack it, or pack it with gzip."),
        (None, "is no file on this host that can be read: No such file or directory."),
    ],
)
def test_what_is_no_archive_is_refused_in_one_sentence(tmp_path, content, said):
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    with pytest.raises(InvalidInput, match=said) as refused:
        _saved.find(str(tmp_path / "x"), "lab:1")
    assert "\n" not in str(refused.value)


def test_an_oci_layout_is_refused_by_name(tmp_path):
    with pytest.raises(InvalidInput, match="is an OCI layout without manifest.json: write it with `docker save`"):
        _saved.find(write(tmp_path / "x", {"oci-layout": b"{}", "index.json": b"{}"}), "lab:1")
