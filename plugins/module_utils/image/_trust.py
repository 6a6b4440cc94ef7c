# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host lets its builds have: certificates, package indexes, proxies. The task's options come first."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from .._errors import InvalidInput

# Where distributions keep all certificates that the host trusts, in one file.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
)
BUNDLE_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PIP_FILES = ("/etc/xdg/pip/pip.conf", "/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
PIP_SETTINGS = ("index-url", "extra-index-url", "find-links", "trusted-host", "timeout", "cert")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)


def pip_settings(files: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """pip's settings on the host: the texts of its files by path, later ones over earlier ones, then PIP_* variables.

    Raises InvalidInput for a file that pip could not read either.
    """
    found: dict[str, str] = {}
    for path, text in files.items():
        found.update(_pip_file(path, text))
    found.update({_key(name[4:]): value for name, value in environ.items() if name.startswith("PIP_")})
    return {key: " ".join(found[key].split()) for key in PIP_SETTINGS if found.get(key)}


def _pip_file(path: str, text: str) -> dict[str, str]:
    """What a file of pip's says for an installation: the command's own section over the one for all."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise InvalidInput("pip's settings", path, f"cannot be read: {str(error).splitlines()[0]}") from error
    sections = [name for name in ("global", "install") if parser.has_section(name)]
    return {_key(name): value for section in sections for name, value in parser.items(section)}


def _key(name: str) -> str:
    """A setting's name as pip reads it, which takes underscores too."""
    return name.lower().replace("_", "-")


def bundles(option: str, pip: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """Paths of a file with the certificates that the host trusts, the first that is there to be taken."""
    named = [environ[name] for name in BUNDLE_VARIABLES if environ.get(name)]
    return [option] if option else [*named, *([pip["cert"]] if "cert" in pip else []), *BUNDLES]


def certificates(text: str) -> str:
    """The certificates of a bundle without its comments: a build takes 500 KiB of a secret at most."""
    return "\n".join(CERTIFICATE.findall(text)) + "\n"


def variables(
    pip: Mapping[str, str],
    environ: Mapping[str, str],
    index_url: str,
    extra_index_urls: Sequence[str],
    proxy: Sequence[tuple[str, str]],
) -> dict[str, str]:
    """The environment of a build's steps. Addresses of files stay out: no build can see them."""
    index = index_url or _reachable(pip.get("index-url", ""))
    extra = " ".join(extra_index_urls) or _reachable(pip.get("extra-index-url", ""))
    links = _reachable(pip.get("find-links", ""))
    said = {
        "PIP_INDEX_URL": index,
        "UV_DEFAULT_INDEX": index,
        "PIP_EXTRA_INDEX_URL": extra,
        "UV_INDEX": extra,
        "PIP_FIND_LINKS": links,
        "UV_FIND_LINKS": links.replace(" ", ","),
        "PIP_TRUSTED_HOST": pip.get("trusted-host", ""),
        "UV_INSECURE_HOST": pip.get("trusted-host", ""),
        "PIP_DEFAULT_TIMEOUT": pip.get("timeout", ""),
        "UV_HTTP_TIMEOUT": pip.get("timeout", ""),
        **dict(_proxies(dict(proxy), environ)),
    }
    return {name: value for name, value in said.items() if value}


def script(environ: Mapping[str, str]) -> str:
    """Variables as a shell reads them."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(environ.items()))


def _proxies(option: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        value = option.get(name) or ("" if option else environ.get(name) or environ.get(name.upper(), ""))
        yield from ((name, value), (name.upper(), value))


def _reachable(urls: str) -> str:
    return " ".join(url for url in urls.split() if re.match(r"https?://", url))
