"""How long a lab takes from its container's start to an authenticated answer: our base beside a plain one.

    python -m tests.bench.start [--starts 20] [--image IMAGE] [--rootfs myjupyter-rootfs:bookworm]

The plain one is what the usual Dockerfile gives on the same root filesystem: a venv and `pip install jupyterlab`.
Starts are taken in turn, one at a time; exits 1 when ours misses --limit (seconds, p95) for want of speed.
"""

from __future__ import annotations

import argparse
import glob
import io
import os
import sys
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import docker

from tests.base import base

PLAIN = "myjupyter-bench-plain"
TOKEN = "0123456789abcdef"
# The host's own CA bundle and pip settings, for where packages come through a proxy that signs for itself.
PLAIN_DOCKERFILE = """\
FROM {rootfs}
COPY ca.pem /tmp/ca.pem
RUN python3 -m venv /opt/venv && PIP_CERT=/tmp/ca.pem /opt/venv/bin/pip install --no-cache-dir jupyterlab \\
 && useradd --create-home --uid 1000 --gid 100 jovyan
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin HOME=/home/jovyan LANG=C.UTF-8
USER 1000
WORKDIR /home/jovyan
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"]
"""
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def build_plain(client: docker.DockerClient, rootfs: str) -> None:
    """Build the plain image, by the classic builder; its cache makes a second time free."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, data in (
            ("Dockerfile", PLAIN_DOCKERFILE.format(rootfs=rootfs).encode()),
            ("ca.pem", Path(BUNDLE).read_bytes() if os.path.exists(BUNDLE) else b""),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=PLAIN, rm=True)


def one_start(client: docker.DockerClient, image: str) -> tuple[float, float]:
    """Seconds from `docker run` to the first authenticated answer, and CPU seconds used by then."""
    begun = time.perf_counter()
    container = client.containers.run(
        image, detach=True, ports={"8888/tcp": ("127.0.0.1", None)}, environment={"JUPYTER_TOKEN": TOKEN}
    )
    try:
        container.reload()
        port = container.ports["8888/tcp"][0]["HostPort"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {TOKEN}"}
        )
        while not answers(request):
            if time.perf_counter() - begun > 60:
                raise SystemExit(f"{image} did not answer within 60 s:\n{container.logs(tail=20).decode()}")
            time.sleep(0.01)
        took = time.perf_counter() - begun
        cpu = cpu_seconds(container.id)
    finally:
        container.remove(force=True)
    return took, cpu


def cpu_seconds(container: str) -> float:
    """What the container's control group (version 1 or 2) has used so far."""
    for path in glob.glob(f"/sys/fs/cgroup/cpuacct/**/*{container}*/cpuacct.usage", recursive=True):
        return int(Path(path).read_text()) / 1e9
    for path in glob.glob(f"/sys/fs/cgroup/**/*{container}*/cpu.stat", recursive=True):
        return int(Path(path).read_text().split()[1]) / 1e6
    return 0.0


def answers(request: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def quantile(values: list[float], share: float) -> float:
    """The value that ``share`` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share * 100) // 100) - 1)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--image", help="the tests' own base where none is named")
    parser.add_argument("--rootfs", default="myjupyter-rootfs:bookworm")
    parser.add_argument("--limit", type=float, default=1.8)
    parser.add_argument("--alone", action="store_true", help="only ours, without the plain one")
    options = parser.parse_args()
    client = docker.from_env()
    images = {"ours": options.image or base()}
    if not options.alone:
        build_plain(client, options.rootfs)
        images["plain"] = PLAIN
    for image in images.values():  # the first start of an image reads it from disk
        one_start(client, image)
    starts: dict[str, list[tuple[float, float]]] = {name: [] for name in images}
    load = os.getloadavg()[0]
    for _round in range(options.starts):
        for name, image in images.items():
            starts[name].append(one_start(client, image))

    rows = {
        name: (quantile([s for s, _c in found], 0.5), quantile([s for s, _c in found], 0.95), sum(c for _s, c in found))
        for name, found in starts.items()
    }
    print(f"{options.starts} starts each, in turn, load before {load:.2f}")
    for name, (p50, p95, cpu) in rows.items():
        print(f"{name:6} p50 {p50:5.2f} s   p95 {p95:5.2f} s   CPU {cpu / options.starts:5.2f} s a start")
    if "plain" in rows:
        ratios = (plain / ours for ours, plain in zip(rows["ours"], rows["plain"]))
        print("plain takes, in these: " + "   ".join(f"{ratio:.1f} times" for ratio in ratios))
    return int(rows["ours"][1] > options.limit)


if __name__ == "__main__":
    sys.exit(main())
