"""nginx as an instance of its own: a program from Debian's package, which need not be installed, and its configuration.

The system's own nginx, where there is one, is neither started nor stopped nor configured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_UNPACKED = Path(__file__).resolve().parents[2] / ".cache" / "nginx"  # `make clean` removes it
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", str(_UNPACKED / "usr" / "sbin")])


def program() -> str | None:
    """The path of nginx, if there is one."""
    return shutil.which("nginx", path=_PATH)


def fetch() -> str:
    """Downloads Debian's package and unpacks it, without installing it: so no service starts, and nobody need be root.

    What went wrong, or "".
    """
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    try:
        for command in (["apt-get", "download", "nginx"], ["sh", "-c", "dpkg-deb -x nginx_*.deb ."]):
            done = subprocess.run(command, cwd=_UNPACKED, capture_output=True, text=True, timeout=120)
            if done.returncode:
                return f"nginx is not installed, and {command[0]} failed: {done.stderr.strip()[-300:]}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nginx is not installed, and its package could not be fetched: {error}"
    return "" if program() else "nginx is not installed, and its package has no program"


def configuration(directory: Path, port: int) -> str:
    """Files by sendfile, no log of requests, connections kept for as long as the client likes."""
    temporary = "\n".join(
        f"  {kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""\
daemon off;
pid {directory}/nginx.pid;
worker_processes auto;
events {{ worker_connections 1024; }}
http {{
  sendfile on;
  sendfile_max_chunk 0;
  tcp_nopush on;
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
{temporary}
  server {{
    listen 127.0.0.1:{port};
    root {directory}/files;
  }}
}}
"""
