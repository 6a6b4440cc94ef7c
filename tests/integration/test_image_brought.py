"""Images that are brought, not built: from a registry on this machine, by the modules image and labs."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from tests.conftest import ModuleFailed
from tests.integration.images import save


@pytest.fixture
def push(images, registry):
    """Build an image, put it into the registry, forget it here; its reference and its id."""
    reference = f"{registry}/lab/{images.name}"

    def make(**recipe):
        made = images.image(keep=0, **recipe)["image"]["id"]
        images.engine.tag(made, reference, "2026")
        assert "error" not in images.engine.push(reference, "2026")
        for name in (f"{reference}:2026", f"{reference}:latest"):
            if images.engine.images(name):
                images.engine.remove_image(name)
        images.image(state="absent")
        return f"{reference}:2026", made

    yield make
    for item in images.engine.images(reference):
        images.engine.remove_image(item["Id"], force=True)


def pulled_twice(images, **options):
    """The result of a pull: foretold, done, and twice not needed again."""
    foreseen = images.image(check=True, state="pulled", **options)
    done = images.image(state="pulled", **options)
    assert foreseen["changed"] and done["changed"] and foreseen["steps"] == done["steps"]
    for check in (True, False):
        assert not images.image(check=check, state="pulled", **options)["changed"]
    return done


def test_pulled_from_a_registry(images, push):
    reference, made = push(environment={"A": "1"})
    done = pulled_twice(images, name=reference)
    assert done["steps"] == [f"pull {reference}"]
    assert done["image"]["id"] == made
    assert done["diff"]["before"] == {}
    assert images.run("echo $A", reference) == "1"


def test_a_newer_one_is_pulled_when_it_is_due(images, push):
    reference, first = push(environment={"A": "1"})
    images.image(state="pulled", name=reference)
    assert not images.image(state="pulled", name=reference, refresh="always")["changed"], "the registry has no other"
    images.engine.tag(first, f"{images.name}-kept", "1")
    _reference, second = push(environment={"A": "2"})
    images.engine.tag(first, *reference.rsplit(":", 1))
    assert not images.image(state="pulled", name=reference)["changed"], "what is here serves"
    assert not images.image(state="pulled", name=reference, refresh="1d")["changed"], "it is younger than that"
    done = pulled_twice(images, name=reference, refresh="always")
    assert done["image"]["id"] == second and done["diff"]["before"]["id"] != done["diff"]["after"]["id"]


def test_pulled_by_digest(images, push):
    reference, made = push(environment={"A": "1"})
    images.image(state="pulled", name=reference)
    digest = images.engine.inspect_image(reference)["RepoDigests"][0]
    images.engine.remove_image(made, force=True)
    assert pulled_twice(images, name=digest)["image"]["id"] == made
    for name in (digest, reference.rpartition(":")[0]):
        images.image(state="pulled", name=digest)
        assert images.twice(state="absent", name=name)["steps"] == [f"remove {digest}"]


def test_what_a_registry_does_not_have(images, registry):
    with pytest.raises(ModuleFailed, match=f"{registry}/lab/none:1 is not on this host and could not be pulled: .*"):
        images.image(state="pulled", name=f"{registry}/lab/none:1")


class Locked(http.server.BaseHTTPRequestHandler):
    """A registry that lets nobody in."""

    default_request_version = "HTTP/1.1"  # engines with containerd try TLS first, and go on where HTTP refuses it

    def do_GET(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="lab"')
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_args):
        pass


def test_what_a_registry_gives_to_none_without_a_login(images):
    with http.server.HTTPServer(("127.0.0.1", 0), Locked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(ModuleFailed, match=r"credentials\. Log in to its registry on this host .*\. Load it from"):
            images.image(state="pulled", name=f"127.0.0.1:{server.server_port}/lab/none:1")
        server.shutdown()


def test_a_credential_helper_that_does_not_work_is_passed_over(images, push, host, tmp_path, monkeypatch):
    reference, made = push(environment={"A": "1"})
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"credsStore": "nowhere"}))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert pulled_twice(images, name=reference)["image"]["id"] == made
    assert not images.image(state="pulled", name=reference, refresh="always")["changed"]
    images.engine.remove_image(reference)
    host.labs(host.lab(image=reference))
    assert host.inspect()["Image"] == made
    with pytest.raises(ModuleFailed, match=r"docker-credential-nowhere of ~/.docker/config.json does not work"):
        images.image(state="pulled", name=f"{reference}-none")


def test_a_recipe_on_a_base_of_a_registry(images, push):
    reference, _made = push(environment={"A": "1"})
    foreseen = images.image(check=True, base=reference, environment={"B": "2"})
    done = images.image(base=reference, environment={"B": "2"})
    assert foreseen["steps"] == done["steps"] == [f"pull {reference}", f"build {images.name}:latest"]
    assert images.run("echo $A$B") == "12"


def test_a_lab_of_an_image_of_a_registry(push, host):
    reference, made = push(environment={"A": "1"})
    foreseen = host.labs(host.lab(image=reference), check=True)
    done = host.labs(host.lab(image=reference))
    assert [step["action"] for step in done["steps"]][0] == "pull"
    assert foreseen["steps"] == done["steps"]
    assert host.inspect()["Image"] == made
    assert not host.labs(host.lab(image=reference))["changed"]


def test_an_archive_moves_no_other_name(images, small, tmp_path):
    first, other = small("latest"), small("other")
    archive = tmp_path / "images.tar"
    save(archive, f"{images.name}:latest", f"{images.name}:other")
    with pytest.raises(ModuleFailed, match=f"holds 2 images .*, and not {images.name}:old: name one"):
        images.image(check=True, name=f"{images.name}:old", state="loaded", archive=str(archive))
    save(archive, f"{images.name}:latest")
    second = small("latest")
    for name in ("old", "older"):  # where the archive's name is another image's, then where it is none's
        done = images.twice(name=f"{images.name}:{name}", state="loaded", archive=str(archive))
        assert done["image"]["id"] == first and f"{images.name}:{name}" in done["image"]["tags"]
        if name == "old":
            assert images.inspect()["Id"] == second
            images.engine.remove_image(images.name)
    assert {item["Id"]: sorted(item["RepoTags"]) for item in images.engine.images(images.name)} == {
        first: [f"{images.name}:old", f"{images.name}:older"], other: [f"{images.name}:other"]
    }  # fmt: skip


def test_images_without_a_name_in_one_archive(images, small, tmp_path):
    ids = [small(tag) for tag in ("a", "b")]
    archive = tmp_path / "images.tar"
    save(archive, *ids)
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=r"holds 2 images \(2 without a name\), and not .*: name one"):
            images.image(check=check, state="loaded", archive=str(archive))
    save(archive, ids[1])
    assert images.twice(state="loaded", archive=str(archive))["image"]["id"] == ids[1]


def test_an_image_of_another_platform_is_refused(images, small, registry, tmp_path):
    small("latest")
    archive, reference = tmp_path / "image.tar", f"{registry}/lab/{images.name}"
    save(archive, images.name)
    for check in (True, False):
        with pytest.raises(ModuleFailed, match="^platform: 'linux/s390x' cannot be had: the image in .* is for linux/"):
            images.image(check=check, state="loaded", archive=str(archive), platform="linux/s390x")
    images.engine.tag(images.name, reference)
    assert "error" not in images.engine.push(reference)
    with pytest.raises(ModuleFailed, match="^platform: 'linux/s390x' cannot be had: .* registry has is for linux/"):
        images.image(state="pulled", name=reference, platform="linux/s390x")
    images.engine.remove_image(reference)
