"""What is compared: the remote itself, s3d in front of it, `rclone serve s3` in front of it.

rclone's settings are the fastest that were found which still give right answers; see bench/README.md.
"""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import peers
from signing import signed_head

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


@dataclass(frozen=True)
class Contender:
    """A server that answers S3 requests for the objects of the remote."""

    name: str
    url: str
    pid: int

    @property
    def write_bucket(self) -> str:
        return f"bench-write-{self.name}"


@dataclass(frozen=True)
class Launch:
    """How a gateway is started: its command, its environment and the URL where it will answer."""

    command: list[str]
    env: dict[str, str]
    url: str


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


@contextlib.contextmanager
def running(name: str, remote: str, directory: Path) -> Iterator[tuple[Contender, float]]:
    """A gateway of that name, and the seconds from its start to its first answer (a ListBuckets of the remote)."""
    directory.mkdir(parents=True, exist_ok=True)
    launch = LAUNCHES[name](remote, directory)
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            launch.command, stdout=output, stderr=subprocess.STDOUT, env=launch.env, cwd=directory
        )
    try:
        _wait_for_answer(launch.url, process, log)
        yield Contender(name, launch.url, process.pid), time.perf_counter() - start
    finally:
        peers.stop(process)


def _wait_for_answer(url: str, process: subprocess.Popen[bytes], log: Path, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status, body = request(url, "GET", "/")
        except OSError:
            time.sleep(0.001)
            continue
        if status == 200 and b"ListAllMyBucketsResult" in body:
            return
        raise RuntimeError(f"{url} answered {status}: {body[:500]!r}")
    raise RuntimeError(
        f"{url} did not come up (exit code {process.poll()}):\n{log.read_text(errors='replace')[-3000:]}"
    )


def request(
    url: str, method: str, path: str, *, query: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, bytes]:
    """One signed request on a connection of its own: status and body. For what is not measured."""
    head = signed_head(url, method, path, query=query, length=len(body), payload_hash="UNSIGNED-PAYLOAD")
    first, *lines = head.decode().rstrip().split("\r\n")
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        headers = dict(line.split(": ", 1) for line in lines)
        connection.request(method, first.split(" ")[1], body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
