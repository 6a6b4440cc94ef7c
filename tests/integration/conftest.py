"""A real engine and registry, the base image, labs that are gone after their test, a client for their servers."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid

import docker
import pytest
import websocket

from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._lab import digest
from tests import COLLECTIONS, ROOT

from .images import Images


@pytest.fixture
def images(engine, run_module, base):
    """The images of one test, gone after it."""
    found = Images(engine, run_module, base)
    yield found
    found.clean()


@pytest.fixture
def small(images, tmp_path):
    """Make a small image with a name of this test, by its tag, or without one; its id."""
    made = []

    def make(tag, platform="linux/amd64"):
        (tmp_path / "Dockerfile").write_text(f"FROM scratch\nCOPY Dockerfile /{secrets.token_hex(8)}\n")
        name = f"{images.name}:{tag}" if tag else None
        said = list(images.engine.build(str(tmp_path), tag=name, platform=platform, decode=True))
        made.append(next(line["aux"]["ID"] for line in said if "aux" in line))
        return made[-1]

    yield make
    for image in made:
        with contextlib.suppress(docker.errors.ImageNotFound):
            images.engine.remove_image(image, force=True)


@pytest.fixture(scope="session")
def other_image(engine, base):
    """The base with one more layer: what an upgrade looks like."""
    name = f"myjupyter-test-{secrets.token_hex(4)}"
    container = engine.create_container(base, ["touch", "/tmp/newer"], entrypoint=[])["Id"]
    engine.start(container)
    engine.wait(container)
    engine.commit(container, name, changes=['ENTRYPOINT ["tini","-g","--","start.sh"]', 'CMD ["start-notebook.py"]'])
    engine.remove_container(container)
    yield name
    engine.remove_image(name, force=True)


class Host:
    """The labs of one test: names of their own, a work root and a state directory of their own."""

    def __init__(self, engine, run_module, path, image):
        self.engine, self._run, self.path, self.image = engine, run_module, path, image
        self.prefix = f"t{os.environ.get('MYJUPYTER_TEST_SESSION', '')}{secrets.token_hex(3)}"
        # Below those that the kernel gives to outgoing connections, of which one may just be in use.
        self.first_port = 20000 + secrets.randbelow(12000)

    def name(self, short="a"):
        return f"{self.prefix}-{short}"

    def lab(self, short="a", **options):
        return {"name": self.name(short), "image": self.image, **options}

    def labs(self, *labs, check=False, **options):
        return self._run("labs", check=check, **self._asked(labs, options))

    def cut(self, where, when, *labs):
        """A run that is killed before or after a function of its own."""
        done = subprocess.run(
            [sys.executable, ROOT / "tests/cut_labs.py", where, when],
            input=json.dumps(self._asked(labs, {})),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr

    def _asked(self, labs, options):
        places = {"work_root": str(self.path / "work"), "state_dir": str(self.path / "state")}
        return {"labs": list(labs), **places, "first_port": self.first_port, **options}

    def info(self, **options):
        return self._run("labs_info", state_dir=str(self.path / "state"), **options)

    def token(self, short="a"):
        return (self.path / "state" / "labs" / self.name(short) / "token").read_text()

    def inspect(self, short="a"):
        return self.engine.inspect_container(self.name(short))

    def exists(self, short="a"):
        return bool(self.engine.containers(all=True, filters={"name": f"^/{self.name(short)}$"}))

    def server(self, short="a"):
        return self.server_at(short, self.token(short))

    def server_at(self, short, token):
        binding = next(iter(self.inspect(short)["HostConfig"]["PortBindings"].values()))[0]
        return Server(f"http://127.0.0.1:{binding['HostPort']}", token)

    def clean(self):
        for item in self.engine.containers(all=True, filters={"name": self.prefix}):
            self.engine.remove_container(item["Id"], force=True, v=True)
        for name in self.kept_images():
            self.engine.remove_image(name)
        shutil.rmtree(self.path, ignore_errors=True)

    def kept_images(self):
        """Names of images that this test's labs could go back to."""
        marks = [f":kept-{digest(str(path))[:8]}-" for path in self.path.glob("state*")]
        names = [name for item in self.engine.images() for name in item["RepoTags"] or []]
        return {name for name in names if any(mark in name for mark in marks)}


class Server:
    """A Jupyter Server, spoken to as a browser does."""

    def __init__(self, address, token, base_url="/"):
        self.address, self.token, self.base_url = address, token, base_url

    def ask(self, path, method="GET", body=None):
        request = urllib.request.Request(
            f"{self.address}{self.base_url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or "null")

    def start_kernel(self):
        return self.ask("api/kernels", "POST", {"name": "python3"})["id"]

    def execute(self, kernel, code, wait=True):
        """Run code in a kernel; what it printed. Without ``wait``, return as soon as it is busy."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        printed = ""
        for answer in self.replies(kernel, "execute_request", content):
            if answer["msg_type"] == "stream":
                printed += answer["content"]["text"]
            if answer["msg_type"] == "error":
                raise AssertionError("\n".join(answer["content"]["traceback"]))
            state = answer["content"].get("execution_state")
            if state == "idle" or (not wait and state == "busy"):
                return printed
        raise AssertionError("the kernel fell silent")

    def replies(self, kernel, kind, content, channel="shell"):
        """All that a kernel says to one message."""
        line = websocket.create_connection(
            f"{self.address.replace('http', 'ws', 1)}{self.base_url}api/kernels/{kernel}/channels",
            header=[f"Authorization: token {self.token}"],
            timeout=60,
        )
        message = uuid.uuid4().hex
        header = {"msg_id": message, "msg_type": kind, "username": "t", "session": message, "version": "5.3"}
        sent = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": channel}
        with contextlib.closing(line):
            line.send(json.dumps(sent))
            while True:
                answer = json.loads(line.recv())
                if answer["parent_header"].get("msg_id") == message:
                    yield answer


@pytest.fixture
def host(engine, run_module, tmp_path, base):
    tmp_path.chmod(0o755)
    labs = Host(engine, run_module, tmp_path, base)
    yield labs
    labs.clean()


@pytest.fixture
def seen_gpus(tmp_path, monkeypatch):
    """UUIDs of two GPUs that modules are shown by stand-ins of NVIDIA's programs; the engine knows of none."""
    uuids = ["GPU-aaaa", "GPU-bbbb"]
    programs = tmp_path / "programs"
    shutil.copytree(ROOT / "tests/hosts/gpus", programs)
    for path in programs.iterdir():
        path.chmod(0o755)
    (programs / "list").write_text("".join(f"GPU {n}: NVIDIA L4 (UUID: {uuid})\n" for n, uuid in enumerate(uuids)))
    (programs / "usage").write_text("")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_GPUS", str(programs))
    return uuids


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """The address of a registry on this machine. It keeps what it has, so a layer comes to it once."""
    tmp_path = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "data")}},
        "http": {"addr": address},
        "log": {"level": "error"},
    }
    (tmp_path / "registry.yml").write_text(json.dumps(config))
    command = ["docker-registry", "serve", tmp_path / "registry.yml"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for _try in range(100):
            with contextlib.suppress(OSError), socket.create_connection(address.split(":")):
                break
            time.sleep(0.1)
        yield address
        process.terminate()
