"""What is compared: caches in front of one remote that is far away, and files on the disk as the limit."""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path

import peers
from contender import NOBODY, Contender, Launch, started
from queues.launches import RCLONE_FLAGS, rclone_launch
from stores import nginx
from stores.launches import nginx_files

ROOM = 20_000_000_000  # bytes that may be cached: nothing is removed while something is measured
SLICE = 1 << 20  # bytes of a range of nginx's cache
RCLONE_READS = (
    "--read-only",
    "--dir-cache-time=24h",  # nobody else writes to the bucket
    "--vfs-cache-max-age=24h",
    "--vfs-fast-fingerprint",
    "--vfs-cache-poll-interval=1s",  # how often it looks whether there is too much
)


def s3d_launch(remote: str, directory: Path, room: int = ROOM) -> Launch:
    """`s3d run` with a read cache, without its access log: the others write none."""
    settings = {
        "S3_ENDPOINT": remote,
        "S3D_ENDPOINT": f"http://127.0.0.1:{peers.free_port()}",
        "S3D_ADMIN_ENDPOINT": f"http://127.0.0.1:{peers.free_port()}",
        "S3D_LOCAL_DIR": str(directory / "local"),
        "S3D_LOG_LEVEL": "warning",
        "S3D_READ_CACHE": "on",
        "S3D_READ_CACHE_MAX_SIZE": str(room),
        "S3D_SHUTDOWN_GRACE": "0",
    }
    return Launch([str(peers.BIN / "s3d"), "run"], peers.clean_env(**settings), settings["S3D_ENDPOINT"])


def rclone_cached(remote: str, directory: Path, room: int = ROOM) -> Launch:
    """`rclone serve s3` that keeps what was read in sparse files."""
    return rclone_launch(remote, directory, *RCLONE_READS, f"--vfs-cache-max-size={room}B")


def nginx_cached(remote: str, directory: Path, room: int = ROOM) -> Launch:
    """nginx with `proxy_cache` in slices. The remote lets anybody read: nginx cannot sign."""
    port = peers.free_port()
    (directory / "files").mkdir(exist_ok=True)
    (directory / "files" / "ready.html").write_bytes(b"ready")
    text = _at_once(nginx.configuration(directory, port))
    location = f"""
    location / {{
      slice {SLICE};
      proxy_cache objects;
      proxy_cache_key $uri$slice_range;
      proxy_cache_valid 200 206 24h;
      proxy_cache_lock on;
      proxy_set_header Range $slice_range;
      proxy_set_header Authorization "";
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass http://remote;
      add_header X-Cache $upstream_cache_status;
    }}
    location = /ready.html {{ }}
"""
    start = text.index(f"    root {directory}/files;\n") + len(f"    root {directory}/files;\n")
    text = text[:start] + location + text[start:]
    zone = f"  proxy_cache_path {directory}/objects levels=1:2 keys_zone=objects:64m max_size={room} inactive=24h"
    zone += " use_temp_path=off;\n"
    upstream = f"  upstream remote {{ server {remote.removeprefix('http://')}; keepalive 64; }}\n"
    text = text.replace("  server {\n", f"{zone}{upstream}  server {{\n", 1)
    (directory / "nginx.conf").write_text(text)
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
        for parent in (directory, *directory.parents[:1]):
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    command = [nginx.program() or "nginx", "-p", str(directory), "-c", "nginx.conf", "-e", "stderr"]
    url = f"http://127.0.0.1:{port}"
    return Launch(command, peers.clean_env(), url, path="/ready.html", sign=b"ready", unprivileged=True)


def static_files(_remote: str, directory: Path, _room: int = ROOM) -> Launch:
    """nginx with files."""
    launch = nginx_files(directory)
    file = directory / "nginx.conf"
    file.write_text(_at_once(file.read_text()))
    return launch


def _at_once(text: str) -> str:
    """Without tcp_nopush: it lets the last bytes of a range of 64 KiB wait for the client's delayed ACK, 40 ms."""
    return text.replace("tcp_nopush on;", "tcp_nopush off;")


LAUNCHES = {
    "s3d": s3d_launch,
    "rclone": rclone_cached,
    "nginx": nginx_cached,
    "static": static_files,
}


def running(
    name: str, remote: str, directory: Path, room: int = ROOM
) -> AbstractContextManager[tuple[Contender, float]]:
    """A server of that name with so many bytes of room, and the seconds from its start to its first answer."""
    directory.mkdir(parents=True, exist_ok=True)
    return started(name, LAUNCHES[name](remote, directory, room), directory)


def settings() -> dict[str, str]:
    """How each of the others was started."""
    return {
        "rclone serve s3": " ".join(("--vfs-cache-mode=full", *RCLONE_FLAGS, *RCLONE_READS)),
        "nginx": f"proxy_cache with slice {SLICE}, proxy_cache_lock, keepalive 64; the remote is asked unsigned",
        "static": "nginx with the same bytes as files",
        "signatures": "all requests are signed; no cache verifies them",
    }
