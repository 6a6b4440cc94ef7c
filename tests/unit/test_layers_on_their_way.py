"""Layers on their way from one engine to others."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import tarfile

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import BuildError, EngineError, InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils._settings import image_digest
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _arrival, _layers, _push


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
    assert parcel.needed(["sha256:l2"]) == ["sha256:f2"]
    parts = _layers.archive(parcel, ["lab:latest"], "{}", {"sha256:f2": (1000, ["/some/file"])})
    content = b"".join(part.encode("latin-1") if isinstance(part, str) else b"x" * 1000 for part in parts)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        held = {member.name: tar.extractfile(member).read() for member in tar}
    assert json.loads(held.pop("manifest.json")) == [
        {"Config": "cc.json", "RepoTags": ["lab:latest"], "Layers": ["l1/layer.tar", "f2/layer.tar"]}
    ]
    assert held == {"cc.json": b"{}", "f2/layer.tar": b"x" * 1000}


def expected(**options):
    wanted = {"name": "lab", "image": IMAGE, "parcel": {}, "keep": 3, "reference": None, "registry": None, "ca": None}
    return _arrival.parse({**wanted, "username": None, "password": None, **options})


def here(*images, **said):
    plain = {"Id": "sha256:1", "RepoTags": ["lab:latest"], "Created": 1, "Size": 1}
    plain = {**plain, "Named": "", "Noted": {}, "Config": None}
    listed = [{**plain, **image} for image in images]
    return _arrival.here({"images": listed, "used": [], "storage": [["Backing", "extfs"]], **said})


CONFIG = {"Env": ["A=1"], "Labels": {"fleet.myjupyter.recipe": "r"}}
DIGEST = image_digest({"RootFS": {"Layers": ["a", "b"]}, "Config": CONFIG})
IMAGE = {"id": "sha256:1", "layers": ["a", "b"], "digest": DIGEST, "tags": ["lab:latest", "lab:0f", "other/lab:1"]}


@pytest.mark.parametrize(
    "there, same",
    [
        ({}, True),
        ({"Id": "sha256:2"}, True),
        ({"Id": "sha256:2", "Config": {**CONFIG, "Volumes": None}}, True),
        ({"Id": "sha256:2", "Config": {**CONFIG, "Env": ["A=2"]}}, False),
        ({"Id": "sha256:2", "Config": {**CONFIG, "Labels": {}}}, False),
        ({"Id": "sha256:2", "Layers": ["a", "c"]}, False),
        ({"RepoTags": ["lab:old"], "Config": None}, False),
        ({"RepoTags": None, "Config": None}, False),
    ],
)
def test_an_image_is_the_same_by_what_it_is(there, same):
    found = here({"Layers": ["a", "b"], "Labels": {}, "Config": CONFIG, **there})
    assert (_arrival.same(found, expected()) is not None) == same


def test_an_engine_that_keeps_images_with_containerd_has_what_was_noted():
    there = {"Layers": ["a"], "Labels": {}, "RepoTags": []}
    assert _arrival.lacking(here(there), expected()) == ["b"]
    assert _arrival.kept(here(there), expected()) is None
    storage = [["driver-type", "io.containerd.snapshotter.v1"]]
    assert _arrival.lacking(here(there, storage=storage), expected()) == ["a", "b"]
    noted = here({**there, "Noted": {"b": {"digest": "sha256:f"}, "c": {"digest": "sha256:g"}}}, storage=storage)
    assert _arrival.lacking(noted, expected()) == ["a"], "wherever it lies in other images"
    assert _arrival.kept(noted, expected()) == {"b": {"digest": "sha256:f"}}


def test_a_layout_names_all_layers_and_holds_what_is_given():
    parcel = _layers.Parcel("sha256:cc", ("sha256:l1", "sha256:l2"), {"sha256:l2": "sha256:f2"})
    kept = {"mediaType": "x", "digest": "sha256:f1", "size": 9}
    made = _layers.described("sha256:f2", 1000, gzip.compress(b"")[:4])
    assert made["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    manifest = _layers.manifest(parcel, "{}", {"sha256:l1": kept, "sha256:l2": made})
    parts = _layers.layout(parcel, "docker.io/library/lab:latest", manifest, "{}", {"sha256:f2": (1000, 1000)})
    content = b"".join(part.encode("latin-1") if isinstance(part, str) else b"x" * part for part in parts)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        held = {member.name: tar.extractfile(member).read() for member in tar}
    (entry,) = json.loads(held.pop("index.json"))["manifests"]
    assert entry["annotations"] == {"io.containerd.image.name": "docker.io/library/lab:latest"}
    assert held.pop(f"blobs/sha256/{entry['digest'][7:]}").decode() == manifest and entry["size"] == len(manifest)
    assert [layer["digest"] for layer in json.loads(manifest)["layers"]] == ["sha256:f1", "sha256:f2"]
    del held["oci-layout"]
    assert held == {"blobs/sha256/cc": b"{}", "blobs/sha256/f2": b"x" * 1000}


def test_other_layers_are_an_error_that_names_the_host():
    with pytest.raises(BuildError, match="gpu2 has not the same layers for lab:latest"):
        _arrival.verify(here({"Layers": ["a", "c"], "Labels": {}}), expected(), "gpu2")
    with pytest.raises(BuildError, match="gpu2 has not .* but no such image"):
        _arrival.verify(here(), expected(), "gpu2")


def test_a_pull_names_the_image_as_here_and_forgets_the_registry_and_the_password():
    trusted = {"registry": "r.example:5000/team", "ca": "-----BEGIN CERTIFICATE-----\n"}
    wanted = expected(reference="r.example:5000/lab:0f", username="ana", password="secret", **trusted)
    assert list(wanted.trust) == ["/etc/docker/certs.d/r.example:5000/ca.crt"]
    create, first, second, last = _arrival.pulling(wanted)
    assert create[1] == "/images/create?fromImage=r.example:5000/lab&tag=0f" and "secret" not in str(create)
    assert first[1] == "/images/r.example:5000/lab:0f/tag?repo=lab&tag=latest"
    assert second[1].endswith("repo=lab&tag=0f") and last[:2] == ["DELETE", "/images/r.example:5000/lab:0f"]


@pytest.mark.parametrize(
    "why, what",
    [
        ("x509: certificate signed by unknown authority", "jupyter_image_registry_ca"),
        ("http: server gave HTTP response to HTTPS client", "speaks no TLS"),
        ("unauthorized: authentication required", "jupyter_image_registry_username"),
        ("connection refused", "is it running"),
    ],
)
def test_a_refusal_says_what_to_do(why, what):
    assert what in str(_arrival.refused(expected(reference="r.example/lab:1"), why))


def test_what_a_host_without_an_engine_says():
    reply = {"engine": "unix:///no.sock", "failed": ["FileNotFoundError", "No such file"]}
    assert _arrival.absent(reply)
    with pytest.raises(EngineError, match="Could not ask the engine at unix:///no.sock: No such file"):
        _arrival.here(reply)


@pytest.mark.parametrize(
    "option, value",
    [("keep", -1), ("reference", "Not a name"), ("parcel", {"config": "c"}), ("ca", "/etc/ca.crt")],
)
def test_what_cannot_be_meant_is_refused(option, value):
    with pytest.raises(InvalidInput, match=f"^{option}: "):
        expected(**{option: value})


def test_a_parcel_that_is_none_is_refused():
    said = {"config": "sha256:c", "layers": ["sha256:l"], "blobs": {"sha256:l": "sha256:f"}}
    assert _layers.parcel(said).layers == ("sha256:l",)
    assert _layers.parcel({"archive": "sha256:w"}).needed(["sha256:l"]) == ["sha256:w"]
    with pytest.raises(InvalidInput, match="parcel: .* is not what myjupyter.fleet.image_export returned"):
        _layers.parcel({"config": "sha256:c"})


@pytest.mark.parametrize(
    "name, registry, repository",
    [
        ("lab", "r.example:5000", "r.example:5000/lab"),
        ("team/lab:2", "r.example/labs/", "r.example/labs/team/lab"),
        ("quay.io/jupyter/scipy-notebook", "r.example", "r.example/jupyter/scipy-notebook"),
    ],
)
def test_where_a_registry_keeps_an_image(name, registry, repository):
    said = {"name": name, "registry": registry, "username": None, "password": None, "ca": None}
    assert _push.parse(said).repository == repository


@pytest.mark.parametrize(
    "option, value", [("registry", "No registry"), ("registry", "lab"), ("username", "ana"), ("name", "No")]
)
def test_a_push_that_cannot_be_meant_is_refused(option, value):
    said = {"name": "lab", "registry": "r.example", "username": None, "password": None, "ca": None, option: value}
    with pytest.raises(InvalidInput, match=f"^{option}: "):
        _push.parse(said)


def test_small_files_go_along_more_tightly_packed():
    texts = [b"print('hello')\n" * 1000, bytes(range(256)) * 100]
    along = _layers.along([gzip.compress(text) for text in texts])
    assert along.slim and bz2.decompress(along.content) == b"".join(texts)
    assert along.sizes == tuple(map(len, texts))


@pytest.mark.parametrize(
    "file",
    [b"no gzip", gzip.compress(b"cut off" * 99)[:-9], gzip.compress(random.Random(1).randbytes(300_000))],
    ids=["no gzip", "cut off", "large"],
)
def test_files_that_are_large_or_of_another_kind_go_along_as_they_are(file):
    assert _layers.along([file]) == _layers.Along(file, (len(file),), slim=False)


def test_images_that_came_last_are_kept():
    def image(number, day):
        tag = f"0{number}"
        labels = {"fleet.myjupyter.name": "lab", "fleet.myjupyter.tag": tag}
        tags = [f"lab:{tag}", *(["lab:latest"] if number == 4 else [])]
        named = f"2026-11-{day:02}T00:00:00Z"
        return {"Id": f"sha256:{number}", "RepoTags": tags, "Labels": labels, "Layers": ["a"], "Named": named}

    found = here(image(1, 3), image(2, 1), image(3, 2), image(4, 4))
    assert _arrival.stale(found, expected(keep=1), "sha256:4") == ["lab:03", "lab:02"]


def test_an_image_without_a_configuration_is_the_same():
    digest = image_digest({"RootFS": {"Layers": ["a"]}, "Config": None})
    found = here({"Id": "sha256:2", "Layers": ["a"], "Labels": {}, "Config": {}})
    assert _arrival.same(found, expected(image={"id": "sha256:1", "digest": digest, "layers": ["a"]}))
