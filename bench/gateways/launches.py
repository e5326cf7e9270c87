"""What is compared: the remote itself, s3d in front of it, `rclone serve s3` in front of it.

rclone's settings are the fastest that were found which still give right answers; see bench/README.md.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import peers
from contender import Contender, Launch, started

RCLONE_FLAGS = (
    "--use-server-modtime",  # no HEAD of each object for its modification time
    "--s3-no-head",  # no HEAD after a PUT
    "--s3-no-head-object",  # no HEAD before a GET
    "--s3-no-check-bucket",
    "--s3-use-unsigned-payload=true",
    "--s3-disable-http2",
    "--s3-chunk-size=16Mi",
    "--buffer-size=0",  # no read-ahead beyond what is asked for
    "--vfs-read-chunk-size=0",  # one GET for a whole object, not one per 128 MiB
)
RCLONE_MODES = {
    "rclone": ("--vfs-cache-mode=off",),
    "rclone-writes": ("--vfs-cache-mode=writes", "--vfs-write-back=0"),
    # For LIST only: the others answer a list from memory for five minutes without asking the remote.
    "rclone-fresh": ("--vfs-cache-mode=off", "--dir-cache-time=0"),
}


def s3d_launch(remote: str, directory: Path) -> Launch:
    """`s3d run` with its defaults, in front of the remote."""
    url = f"http://127.0.0.1:{peers.free_port()}"
    settings = {
        "S3_ENDPOINT": remote,
        "S3D_ENDPOINT": url,
        "S3D_ADMIN_ENDPOINT": f"http://127.0.0.1:{peers.free_port()}",
        "S3D_LOCAL_DIR": str(directory / "local"),
    }
    return Launch([str(peers.BIN / "s3d"), "run"], peers.clean_env(**settings), url)


def rclone_launch(remote: str, directory: Path, mode: str = "rclone") -> Launch:
    """`rclone serve s3`, open to every client as s3d is, in front of the remote."""
    port = peers.free_port()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "rclone.conf").touch()
    settings = {
        "RCLONE_CONFIG": str(directory / "rclone.conf"),
        "RCLONE_CACHE_DIR": str(directory / "cache"),
        "RCLONE_CONFIG_REMOTE_TYPE": "s3",
        "RCLONE_CONFIG_REMOTE_PROVIDER": "SeaweedFS",
        "RCLONE_CONFIG_REMOTE_ENDPOINT": remote,
        "RCLONE_CONFIG_REMOTE_REGION": peers.REGION,
        "RCLONE_CONFIG_REMOTE_ACCESS_KEY_ID": peers.ACCESS_KEY,
        "RCLONE_CONFIG_REMOTE_SECRET_ACCESS_KEY": peers.SECRET_KEY,
    }
    command = [str(peers.BIN / "rclone"), "serve", "s3", "remote:", f"--addr=127.0.0.1:{port}"]
    command += [*RCLONE_FLAGS, *RCLONE_MODES[mode]]
    return Launch(command, peers.clean_env(**settings), f"http://127.0.0.1:{port}")


LAUNCHES: dict[str, Callable[[str, Path], Launch]] = {
    "s3d": s3d_launch,
    "rclone": rclone_launch,
    "rclone-writes": lambda remote, directory: rclone_launch(remote, directory, "rclone-writes"),
    "rclone-fresh": lambda remote, directory: rclone_launch(remote, directory, "rclone-fresh"),
}


def running(name: str, remote: str, directory: Path) -> AbstractContextManager[tuple[Contender, float]]:
    """A gateway of that name, and the seconds from its start to its first answer (a ListBuckets of the remote)."""
    return started(name, LAUNCHES[name](remote, directory), directory)
