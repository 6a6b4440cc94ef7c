# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of every module that talks to a Docker Engine."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  docker_host:
    description:
      - Address of the engine, such as V(unix:///var/run/docker.sock) or V(tcp://127.0.0.1:2376).
      - Without it, E(DOCKER_HOST) of the remote user is taken, then the default socket,
        then the user's own sockets (rootless engine, Docker Desktop).
    type: str
  tls:
    description:
      - Speak TLS to a V(tcp://) engine.
      - Where E(DOCKER_HOST) is taken, E(DOCKER_TLS_VERIFY) and E(DOCKER_CERT_PATH) are too.
    type: bool
    default: false
  validate_certs:
    description: Verify the certificate of a TLS engine.
    type: bool
    default: true
  ca_path:
    description: CA certificate (PEM, on the host) that the engine's certificate must be signed by.
    type: path
  client_cert:
    description: Client certificate (PEM, on the host).
    type: path
  client_key:
    description: Key of the client certificate (PEM, on the host).
    type: path
  engine_timeout:
    description: Seconds to wait for one answer of the engine.
    type: int
    default: 60
requirements:
  - docker (the Docker SDK for Python) 5.0.3 or later on the host
  - Docker Engine 20.10 or later
"""
