"""What is compared: s3d with its write queue, and rclone with its write-back cache, in front of one remote."""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import peers
from contender import Contender, Launch, started

RCLONE_FLAGS = (
    "--s3-no-head",  # no HEAD after a PUT
    "--s3-no-check-bucket",
    "--s3-use-unsigned-payload=true",
    "--s3-disable-http2",
)
WORKERS = 16

_control: dict[str, str] = {}  # by URL of the server: that of its admin listener, or of rclone's remote control


def rclone_remote(remote: str) -> dict[str, str]:
    """The environment that makes ``remote:`` that server."""
    return {
        "RCLONE_CONFIG_REMOTE_TYPE": "s3",
        "RCLONE_CONFIG_REMOTE_PROVIDER": "SeaweedFS",
        "RCLONE_CONFIG_REMOTE_ENDPOINT": remote,
        "RCLONE_CONFIG_REMOTE_REGION": peers.REGION,
        "RCLONE_CONFIG_REMOTE_ACCESS_KEY_ID": peers.ACCESS_KEY,
        "RCLONE_CONFIG_REMOTE_SECRET_ACCESS_KEY": peers.SECRET_KEY,
    }


def s3d_launch(remote: str, directory: Path) -> Launch:
    """`s3d run` with a queue that has room for all of it, without its access log: rclone writes none."""
    url, admin = (f"http://127.0.0.1:{peers.free_port()}" for _ in range(2))
    _control[url] = admin
    settings = {
        "S3_ENDPOINT": remote,
        "S3D_ENDPOINT": url,
        "S3D_ADMIN_ENDPOINT": admin,
        "S3D_LOCAL_DIR": str(directory / "local"),
        "S3D_LOG_LEVEL": "warning",
        "S3D_WRITE_QUEUE": "on",
        "S3D_WRITE_QUEUE_MAX_FILES": "1000000",
        "S3D_WRITE_QUEUE_MAX_SIZE": "100GB",
        "S3D_WRITE_QUEUE_WORKERS": str(WORKERS),
        "S3D_SHUTDOWN_GRACE": "0",
    }
    return Launch([str(peers.BIN / "s3d"), "run"], peers.clean_env(**settings), url)


def rclone_launch(remote: str, directory: Path, *flags: str) -> Launch:
    """`rclone serve s3` that answers from its cache on disk and uploads after --vfs-write-back (5 s, its default)."""
    port, control = peers.free_port(), f"127.0.0.1:{peers.free_port()}"
    url = f"http://127.0.0.1:{port}"
    _control[url] = f"http://{control}"
    (directory / "rclone.conf").touch()
    settings = {
        "RCLONE_CONFIG": str(directory / "rclone.conf"),
        "RCLONE_CACHE_DIR": str(directory / "cache"),
        **rclone_remote(remote),
    }
    command = [str(peers.BIN / "rclone"), "serve", "s3", "remote:", f"--addr=127.0.0.1:{port}"]
    command += ["--vfs-cache-mode=full", f"--transfers={WORKERS}", *RCLONE_FLAGS]
    command += ["--rc", f"--rc-addr={control}", "--rc-no-auth", *flags]
    return Launch(command, peers.clean_env(**settings), url)


def rclone_now_launch(remote: str, directory: Path) -> Launch:
    """The same, which uploads at once, as s3d does: what is measured has the uploads in it. (0 would answer after them.)"""
    return rclone_launch(remote, directory, "--vfs-write-back=100ms")


LAUNCHES = {"s3d": s3d_launch, "rclone": rclone_launch, "rclone-now": rclone_now_launch}


def running(name: str, remote: str, directory: Path) -> AbstractContextManager[tuple[Contender, float]]:
    """A server of that name, and the seconds from its start to its first answer."""
    directory.mkdir(parents=True, exist_ok=True)
    return started(name, LAUNCHES[name](remote, directory), directory)


def status(contender: Contender, what: str | None = None) -> dict[str, Any]:
    """s3d's queue as its status page shows it; ``what`` (pause, resume) is done first."""
    admin = _control[contender.url]
    if what is not None:
        _ask(f"{admin}/queue/{what}", b"{}")
    return dict(_ask(f"{admin}/status")["write_queue"])


def wait_drained(contender: Contender, *, seconds: float = 900) -> None:
    """Returns when nothing waits for the remote."""
    deadline = time.monotonic() + seconds
    while _waiting(contender):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{contender.name} does not drain")
        time.sleep(0.05)


def forget_lists(contender: Contender) -> None:
    """rclone remembers what is in a directory: from now on it asks again."""
    if contender.name == "rclone":
        _ask(f"{_control[contender.url]}/vfs/forget", b"{}")


def _waiting(contender: Contender) -> int:
    if contender.name == "s3d":
        return int(status(contender)["waiting"])
    cache = _ask(f"{_control[contender.url]}/vfs/stats", b"{}")["diskCache"]
    return int(cache["uploadsInProgress"]) + int(cache["uploadsQueued"])


def _ask(url: str, body: bytes | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
