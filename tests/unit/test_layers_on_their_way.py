"""Layers on their way from one engine to others."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _layers


@pytest.mark.parametrize(
    "wanted, chains, lacking",
    [
        ("abc", [], "abc"),
        ("abc", ["abc"], ""),
        ("abc", ["abcd"], ""),
        ("abc", ["ab"], "c"),
        ("abc", ["a", "xbc", "ab"], "c"),
        ("abc", ["bc", "xabc"], "abc"),
        ("aba", [], "ab"),
        ("aba", ["ab"], "a"),
        ("", ["a"], ""),
    ],
)
def test_what_an_engine_lacks_begins_where_no_image_is_the_same(wanted, chains, lacking):
    assert _layers.lacking(wanted, chains) == list(lacking)


def test_the_archive_names_all_layers_and_holds_what_is_given():
    parcel = _layers.Parcel("sha256:cc", ("sha256:l1", "sha256:l2"), {"sha256:l2": "sha256:f2"})
    manifest = _layers.manifest(parcel, ["lab:latest"])
    assert json.loads(manifest) == [
        {"Config": "cc.json", "RepoTags": ["lab:latest"], "Layers": ["l1/layer.tar", "f2/layer.tar"]}
    ]
    members = {"manifest.json": manifest, "f2/layer.tar": b"x" * 1000}
    pieces = _layers.archive((name, len(content), io.BytesIO(content)) for name, content in members.items())
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar} == members


def test_a_parcel_that_is_none_is_refused():
    said = {"config": "sha256:c", "layers": ["sha256:l"], "blobs": {"sha256:l": "sha256:f"}}
    assert _layers.parcel(said).layers == ("sha256:l",)
    with pytest.raises(InvalidInput, match="parcel: .* is not what myjupyter.fleet.image_export returned"):
        _layers.parcel({"config": "sha256:c"})
