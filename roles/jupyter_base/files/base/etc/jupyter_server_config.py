"""What the image sets for every server; a file in JUPYTER_CONFIG_PATH or an argument goes before it."""

import os

c = get_config()  # noqa: F821  # pylint: disable=undefined-variable  # the server puts it there

c.ServerApp.ip = ""  # all addresses, IPv4 and IPv6
c.ServerApp.open_browser = False
c.FileContentsManager.delete_to_trash = False

if "NB_UMASK" in os.environ:
    os.umask(int(os.environ["NB_UMASK"], 8))

if "GEN_CERT" in os.environ:
    import subprocess
    from pathlib import Path

    from jupyter_core.paths import jupyter_data_dir

    pem = Path(jupyter_data_dir(), "notebook.pem")
    pem.parent.mkdir(parents=True, exist_ok=True)
    pem.touch(mode=0o600)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365"]
        + ["-subj", "/CN=generated", "-keyout", pem, "-out", pem],
        check=True,
    )
    pem.chmod(0o600)
    c.ServerApp.certfile = str(pem)
