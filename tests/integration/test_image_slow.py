"""An engine that is long silent over a large image: a load is not given up on."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest

SILENCE = 4  # seconds


def relay(source, target, hold=lambda _data: None):
    """Pass on what comes, until it ends; ``hold`` sees it first."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            hold(data)
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def serve(listener):
    while True:
        try:
            client, _address = listener.accept()
        except OSError:
            return
        engine = socket.socket(socket.AF_UNIX)
        engine.connect("/var/run/docker.sock")
        asked = threading.Event()

        def note(data, asked=asked):
            if b"/images/load" in data:
                asked.set()

        def wait(_data, asked=asked):
            if asked.is_set():
                asked.clear()
                time.sleep(SILENCE)

        threading.Thread(target=relay, args=(client, engine, note), daemon=True).start()
        threading.Thread(target=relay, args=(engine, client, wait), daemon=True).start()


@pytest.fixture
def slow_engine(tmp_path):
    """The address of the engine, as it is where a load takes longer than any other answer."""
    path = tmp_path / "slow.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"unix://{path}"
        listener.shutdown(socket.SHUT_RDWR)


def test_a_load_may_take_longer_than_other_answers(images, slow_engine, tmp_path):
    images.image(environment={"A": "1"})
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"".join(images.engine.get_image(images.name)))
    images.image(state="absent")
    done = images.image(state="loaded", archive=str(archive), docker_host=slow_engine, engine_timeout=1)
    assert done["changed"] and images.engine.images(images.name)
