"""The engine's old builder, which is taken where no command can build with BuildKit.

The module runs inside this process here: only so can a machine that has such a command be without one.
"""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils import _engine
from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import BuildError
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _build, _image, _recipe
from tests.unit.module_utils.test_recipe import DEFAULTS


@pytest.fixture
def classic(images, monkeypatch, tmp_path):
    """The module's result, with no docker command to be found."""
    monkeypatch.setattr(_build, "USUAL_PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = _engine.connect(_engine.find({}))

    def run(check=False, **options):
        wanted = _recipe.parse({**DEFAULTS, "name": images.name, "base": images.base, **options})
        return _image.act(engine, wanted, check)

    return run


def test_it_builds_and_finds_again(images, classic):
    options = {
        "files": [{"dest": "/etc/extra", "content": "x", "src": None, "mode": "0600"}],
        "environment": {"A": "1"},
        "post_build": ["echo $B > ~/b"],
        "build_args": {"B": "two"},
    }
    for check in (True, False):
        done = classic(check, **options)
        assert done["changed"] and "docker-buildx" in done["warnings"][0]
    assert images.run("cat ~/b; stat -c %a /etc/extra; echo $A; ls -A /var/cache/myjupyter 2>/dev/null || true") == (
        "two\n600\n1"
    )
    assert done["image"]["packages"]["jupyterlab"] == done["image"]["jupyterlab"]
    for check in (True, False):
        again = classic(check, **options)
        assert not again["changed"] and not again["warnings"]


def test_a_failure_is_told(images, classic):
    with pytest.raises(BuildError, match="The image could not be built.*non-zero code: 3"):
        classic(post_build=["exit 3"])
    assert images.ids() == set()


@pytest.mark.parametrize(
    "option",
    [
        {"ca_bundle": "/etc/passwd"},
        {"index_url": "https://me:secret@example.org/simple"},
        {"post_build": ["pip install -i https://me:secret@example.org/simple x"]},
        {"requirements": ["x @ https://me:secret@example.org/x.whl"]},
    ],
)
def test_what_it_cannot_keep_out_of_an_image_is_refused(classic, option):
    with pytest.raises(BuildError, match="can build with BuildKit, which keeps secrets out of images"):
        classic(environment={"A": "1"}, **option)
