"""The servers that the base starts: every command and setting of the contract, healthy, and stopped with grace."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import docker
import pytest

TOKEN = "0123456789abcdef"
LAB_CONFIG = {"ServerApp": {"root_dir": "/home/jovyan/work", "base_url": "/team/a/"}}


@pytest.fixture(scope="module")
def client():
    return docker.from_env()


@pytest.fixture
def start(client, base):
    """Start a server in the base; it is gone after the test."""
    containers = []

    def detached(*command, environment=None, **options):
        containers.append(
            client.containers.run(
                base,
                list(command),
                detach=True,
                environment={"JUPYTER_TOKEN": TOKEN, **(environment or {})},
                **options,
            )
        )
        return containers[-1]

    yield detached
    for container in containers:
        container.remove(force=True, v=True)


def wait_for(what, seconds=30):
    """The first true answer of ``what``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := what():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s in vain")


def ask(container, path="/api/status", scheme="http", port=8888, token=TOKEN, method="GET", body=None):
    """What the server answers at its bridge address, or None while there is no answer."""
    container.reload()
    address = container.attrs["NetworkSettings"]["IPAddress"]
    request = urllib.request.Request(
        f"{scheme}://{address}:{port}{path}",
        method=method,
        data=body and json.dumps(body).encode(),
        headers={"Authorization": f"token {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5, context=ssl._create_unverified_context()) as answer:
            return answer.read().decode() or "empty"
    except urllib.error.HTTPError:
        raise
    except OSError:
        return None


def is_healthy(container):
    return container.exec_run("/etc/jupyter/docker_healthcheck.py").exit_code == 0


# environment, command, where the server is then
SERVERS = {
    "as it is": ({}, [], {}),
    "lab": ({"DOCKER_STACKS_JUPYTER_CMD": "lab"}, [], {}),
    "notebook": ({"DOCKER_STACKS_JUPYTER_CMD": "notebook"}, [], {}),
    "server": ({"DOCKER_STACKS_JUPYTER_CMD": "server"}, [], {}),
    "nbclassic": ({"DOCKER_STACKS_JUPYTER_CMD": "nbclassic"}, [], {}),
    "RESTARTABLE": ({"RESTARTABLE": "yes"}, [], {}),
    "JUPYTER_PORT": ({"JUPYTER_PORT": "8171"}, [], {"port": 8171}),
    "start-notebook.sh": ({}, ["start-notebook.sh"], {}),
    "arguments": ({}, ["start-notebook.py", "--ServerApp.base_url=/test"], {"path": "/test/api/status"}),
    "NOTEBOOK_ARGS": (
        {"NOTEBOOK_ARGS": "--ServerApp.base_url=/in/args --IdentityProvider.token='a token'"},
        [],
        {"path": "/in/args/api/status", "token": "a token"},
    ),
    "GEN_CERT": (
        {"GEN_CERT": "1", "JUPYTER_PORT": "7891"},
        ["start-notebook.py", "--ServerApp.base_url=/test/"],
        {"scheme": "https", "port": 7891, "path": "/test/api/status"},
    ),
    "a proxy in the environment": ({"HTTP_PROXY": "http://192.0.2.1:1", "HTTPS_PROXY": "http://192.0.2.1:1"}, [], {}),
    "JUPYTER_RUNTIME_DIR": ({"JUPYTER_RUNTIME_DIR": "/tmp/runtime"}, [], {}),
    "by hand": ({}, ["jupyter", "lab"], {}),
}


@pytest.mark.parametrize("case", SERVERS)
def test_server(start, case):
    environment, command, there = SERVERS[case]
    container = start(*command, environment=environment)
    assert "started" in wait_for(lambda: ask(container, **there))
    assert is_healthy(container)
    log = container.logs().decode()
    if not command or command[0].startswith("start-"):
        name = environment.get("DOCKER_STACKS_JUPYTER_CMD", "lab")
        wrapped = "run-one-constantly " if "RESTARTABLE" in environment else ""
        assert f"Executing: {wrapped}jupyter {name}" in log
    former = ["WARNING: Use start-notebook.py instead"] if command == ["start-notebook.sh"] else []
    assert [line for line in log.splitlines() if line.startswith(("WARNING", "ERROR"))] == former


@pytest.mark.parametrize(
    "options",
    [
        {"user": "root", "environment": {"NB_USER": "kitten", "CHOWN_HOME": "1"}},
        {"user": "root", "environment": {"NB_UID": "1010", "NB_GID": "1010"}},
        {"user": "root", "environment": {"NB_USER": "kitten", "JUPYTER_RUNTIME_DIR": "/tmp/runtime"}},
        {"user": "1010:1010", "group_add": ["users"]},
    ],
)
def test_server_of_another_user(start, options):
    container = start(**options)
    assert wait_for(lambda: ask(container))
    assert is_healthy(container)


def test_other_names_than_root_may_give_are_not_healthy(start):
    container = start(environment={"NB_USER": "kitten"})
    assert wait_for(lambda: ask(container))
    assert not is_healthy(container)


def test_a_server_for_jupyterhub(start):
    container = start(environment={"JUPYTERHUB_API_TOKEN": "x", "NOTEBOOK_ARGS": "--debug"})
    container.wait(timeout=20)
    log = container.logs().decode()
    assert "WARNING: using start-singleuser.py" in log
    assert "Executing: jupyterhub-singleuser --ip=0.0.0.0 --debug" in log


def test_engine_calls_it_healthy(start):
    container = start()

    def status():
        container.reload()
        return container.attrs["State"]["Health"]["Status"] == "healthy"

    wait_for(status, 20)


def test_a_silent_server_is_not_healthy(start):
    container = start()
    wait_for(lambda: ask(container))
    container.exec_run("pkill -STOP -f jupyter-lab")
    assert not is_healthy(container)


def test_health_after_a_crash(start):
    """A killed server leaves its runtime file; the next one's counts."""
    container = start(environment={"JUPYTER_PORT": "8001"})
    wait_for(lambda: ask(container, port=8001))
    left = "~/.local/share/jupyter/runtime/jpserver-1.json"
    killed = '{"pid": 99999999, "port": 8001, "url": "http://127.0.0.1:9/"}'
    container.exec_run(["bash", "-c", f"echo '{killed}' > {left}; sleep 1"])
    container.kill()
    container.start()
    wait_for(lambda: ask(container, port=8001))
    assert is_healthy(container)


def test_health_is_that_of_the_server_at_the_containers_port(start):
    """Another one, started in a terminal, counts neither while it runs nor when it was killed."""
    container = start()
    wait_for(lambda: ask(container))
    container.exec_run("jupyter server --port 9998 --ServerApp.base_url=/beside", detach=True)
    wait_for(lambda: ask(container, port=9998, path="/beside/api"))
    container.exec_run("pkill -STOP -f 9998")
    assert is_healthy(container)
    container.exec_run("pkill -KILL -f 9998")
    assert is_healthy(container)


def test_a_token_is_needed(start):
    container = start()
    wait_for(lambda: ask(container))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        ask(container, token="wrong")


def test_umask(start):
    container = start(environment={"NB_UMASK": "0007"})
    wait_for(lambda: ask(container))
    ask(container, "/api/contents/work", method="POST", body={"type": "notebook"})
    assert container.exec_run("stat -c %a /home/jovyan/work/Untitled.ipynb").output.strip() == b"660"


def test_ipv6_too(start):
    container = start(sysctls={"net.ipv6.conf.lo.disable_ipv6": "0"})
    wait_for(lambda: ask(container))
    assert container.exec_run("wget -qO- http://[::1]:8888/api").exit_code == 0


def test_restartable(start):
    container = start(environment={"RESTARTABLE": "yes"})
    wait_for(lambda: ask(container))
    container.exec_run("pkill -TERM -f jupyter-lab")
    wait_for(lambda: not ask(container))
    wait_for(lambda: ask(container))
    began = time.monotonic()
    container.stop(timeout=20)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("options", [{}, {"user": "root", "environment": {"NB_UID": "1010"}}])
def test_stop_lets_kernels_end(start, tmp_path, options):
    """SIGTERM reaches the server, the server asks its kernels to end, and they run what they had registered."""
    tmp_path.chmod(0o777)
    container = start(volumes={str(tmp_path): {"bind": "/home/jovyan/work"}}, **options)
    wait_for(lambda: ask(container))
    code = (
        "import atexit, pathlib, time\n"
        "atexit.register(lambda: pathlib.Path('/home/jovyan/work/saved').write_text('all'))\n"
        "pathlib.Path('/home/jovyan/work/ready').touch()"
    )
    kernel = json.loads(ask(container, "/api/kernels", method="POST", body={"name": "python3"}))["id"]
    script = (
        "import jupyter_client, sys\n"
        "file = jupyter_client.find_connection_file(sys.argv[1])\n"
        "kernel = jupyter_client.BlockingKernelClient(connection_file=file)\n"
        "kernel.load_connection_file(); kernel.start_channels(hb=False); kernel.wait_for_ready(30)\n"
        "kernel.execute(sys.argv[2], reply=True, timeout=30)"
    )
    user = "1010" if options else "1000"
    done = container.exec_run(["python", "-c", script, kernel, code], user=user)
    assert done.exit_code == 0 and (tmp_path / "ready").exists(), done.output
    container.stop(timeout=20)
    assert (tmp_path / "saved").read_text() == "all"
    assert container.wait()["StatusCode"] == 0
    assert f"Kernel shutdown: {kernel}" in container.logs().decode()


@pytest.mark.parametrize(
    "options",
    [
        {"user": "1234:1234", "group_add": ["100"]},
        {"user": "root", "environment": {"NB_UID": "1234", "NB_GID": "1234"}},
    ],
)
def test_as_labs_start_it(start, tmp_path, options):
    """Token from a file, configuration and work from mounts, runtime files in memory, a path before all addresses."""
    (tmp_path / "work").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "token").write_text("from a file")
    (tmp_path / "run" / "jupyter_server_config.json").write_text(json.dumps(LAB_CONFIG))
    subprocess.run(["chown", "-R", "1234:1234", tmp_path], check=True)
    tmp_path.chmod(0o755)
    environment = {
        "JUPYTER_TOKEN": "",
        "JUPYTER_TOKEN_FILE": "/run/myjupyter/token",
        "JUPYTER_CONFIG_PATH": "/run/myjupyter",
        "JUPYTER_RUNTIME_DIR": "/run/jupyter",
    }
    container = start(
        **{**options, "environment": {**environment, **options.get("environment", {})}},
        volumes={
            str(tmp_path / "work"): {"bind": "/home/jovyan/work"},
            str(tmp_path / "run"): {"bind": "/run/myjupyter", "mode": "ro"},
        },
        tmpfs={"/run/jupyter": "mode=0700,uid=1234,gid=1234"},
    )
    there = {"path": "/team/a/api/contents", "token": "from a file"}
    assert json.loads(wait_for(lambda: ask(container, **there)))["path"] == ""
    assert is_healthy(container)
    assert "from a file" not in container.logs().decode()
    ask(container, **there, method="POST", body={"type": "notebook"})
    assert (tmp_path / "work" / "Untitled.ipynb").stat().st_uid == 1234
    assert container.exec_run("pip install --no-index --no-deps --target /opt/conda/share/x /nowhere").exit_code == 1
