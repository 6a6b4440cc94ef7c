"""A host's registry: what is wanted, what was found, and the plan between the two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError, InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.registry import _registry

ASKED = {
    "names": ["r.example", "192.0.2.7"],
    "address": "0.0.0.0",
    "port": 5000,
    "data": "/var/lib/docker-registry",
    "username": "fleet",
    "password": None,
    "certificate": None,
    "key": None,
    "ca": None,
    "renew_days": 30,
}
BARE = _registry.Found(root=True, debian=True, systemd=True)


def wanted(**options):
    return _registry.parse({**ASKED, **options})


def complete(asked):
    """A host that has all that was asked for."""
    texts = {
        _registry.CONFIG: _registry.config(asked),
        _registry.DROP_IN: _registry.drop_in(asked),
        _registry.ACCESS: _registry.access(asked),
        _registry.PASSWORD: "made",
    }
    return replace(
        BARE, packages=frozenset(_registry.PACKAGES), texts=texts, names=frozenset(asked.names), days_left=300,
        ca_days_left=3000, signed=True, login=True, runs=True, enabled=True,
    )  # fmt: skip


def test_a_bare_host_gets_all_and_a_complete_one_nothing():
    asked = wanted()
    plan = _registry.plan(asked, BARE)
    assert plan.packages == _registry.PACKAGES and plan.make == ("password", "login", "ca", "certificate")
    assert plan.start and not plan.enable, "its package has it started at boot"
    assert not _registry.plan(asked, complete(asked)).steps


@pytest.mark.parametrize(
    "found, make",
    [
        ({"days_left": 30}, ("certificate",)),
        ({"names": frozenset({"r.example"})}, ("certificate",)),
        ({"signed": False}, ("certificate",)),
        ({"ca_days_left": 10}, ("ca", "certificate")),
        ({"login": False}, ("login",)),
    ],
)
def test_only_what_is_not_good_any_more_is_made_anew(found, make):
    plan = _registry.plan(wanted(), replace(complete(wanted()), **found))
    assert plan.make == make and plan.start and not plan.files


@pytest.mark.parametrize(
    "found, step", [({"runs": False}, "start"), ({"stale": True}, "start"), ({"enabled": False}, "have")]
)
def test_a_service_that_is_down_or_older_than_its_files(found, step):
    (only,) = _registry.plan(wanted(), replace(complete(wanted()), **found)).steps
    assert only.startswith(step)


def test_a_certificate_of_the_users_is_used_and_none_made():
    asked = wanted(certificate="/c.pem", key="/k.pem", port=443)
    found = replace(complete(asked), given={"certificate": "-----BEGIN C", "key": "-----BEGIN K"})
    plan = _registry.plan(asked, found)
    assert plan.make == () and set(plan.files) == {_registry.CERTIFICATE, _registry.KEY}
    assert "CAP_NET_BIND_SERVICE" in _registry.drop_in(asked)
    with pytest.raises(InvalidInput, match="key: '/k.pem' is no file on the host"):
        _registry.plan(asked, replace(found, given={"certificate": "-----BEGIN C"}))


@pytest.mark.parametrize(
    "found, why",
    [
        ({"root": False}, "Root is needed"),
        ({"systemd": False}, "on Debian and Ubuntu with systemd only"),
        ({"debian": False}, "on Debian and Ubuntu with systemd only"),
        ({"theirs": "it holds images"}, r"of somebody's \(it holds images\), which is left alone"),
    ],
)
def test_what_cannot_or_must_not_be_done(found, why):
    with pytest.raises(FleetError, match=why):
        _registry.plan(wanted(), replace(BARE, **found))


@pytest.mark.parametrize(
    "option, value",
    [
        ("names", []),
        ("names", ["a b"]),
        ("address", "everywhere"),
        ("port", 0),
        ("data", "here"),
        ("username", "a:b"),
        ("password", "x" * 73),
        ("certificate", "/c.pem"),
    ],
)
def test_bad_input_is_refused(option, value):
    with pytest.raises(InvalidInput, match=f"^{option}: "):
        wanted(**{option: value})


def test_nothing_secret_is_told():
    asked = wanted(password="secret")
    assert "secret" not in str(_registry.result(asked, _registry.plan(asked, BARE)))


def test_an_address_is_the_same_however_it_is_written():
    asked = wanted(names=["2001:DB8::7", "gpu_1"])
    assert asked.names == ("2001:db8::7", "gpu_1")
    assert _registry.plain("2001:DB8:0:0:0:0:0:7") == "2001:db8::7"


@pytest.mark.parametrize("option, value", [("names", ["gpu_1"]), ("data", "/srv"), ("data", "/var/lib")])
def test_what_cannot_be_a_registrys_is_refused(option, value):
    with pytest.raises(InvalidInput, match=f"^{option}: "):
        wanted(**{option: value})
