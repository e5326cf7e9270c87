"""What is compared: four servers of a local directory, none of which checks signatures.

The settings of the others are the fastest that were found which still give right answers; see bench/README.md.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import peers
from contender import NOBODY, Contender, Launch, started
from stores import nginx

RCLONE_FLAGS = (
    "--vfs-cache-mode=off",
    "--dir-cache-time=24h",  # nobody else writes to the directory
    "--no-checksum",  # a GET does not compute the MD5 again; the ETag is there all the same
    "--streaming-upload-cutoff=0",  # a small PUT goes to the file at once instead of into memory first
    "--vfs-read-chunk-size=0",
    "--local-no-preallocate",
)
WEED_FLAGS = (
    *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
    *("-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
)


def s3d(directory: Path) -> Launch:
    """`s3d run` on the embedded store, without its access log: none of the others writes one."""
    url = f"http://127.0.0.1:{peers.free_port()}"
    settings = {
        "S3_ENDPOINT": f"local:{directory / 'data'}",
        "S3D_ENDPOINT": url,
        "S3D_ADMIN_ENDPOINT": f"http://127.0.0.1:{peers.free_port()}",
        "S3D_LOCAL_DIR": str(directory / "local"),
        "S3D_LOG_LEVEL": "warning",
    }
    return Launch([str(peers.BIN / "s3d"), "run"], peers.clean_env(**settings), url)


def rclone(directory: Path, flags: tuple[str, ...] = RCLONE_FLAGS) -> Launch:
    """`rclone serve s3` of a directory, open to every client as s3d is."""
    port = peers.free_port()
    data = directory / "data"
    data.mkdir(exist_ok=True)
    (directory / "rclone.conf").touch()
    settings = {"RCLONE_CONFIG": str(directory / "rclone.conf"), "RCLONE_CACHE_DIR": str(directory / "cache")}
    command = [str(peers.BIN / "rclone"), "serve", "s3", str(data), f"--addr=127.0.0.1:{port}", *flags]
    return Launch(command, peers.clean_env(**settings), f"http://127.0.0.1:{port}")


def seaweedfs(directory: Path) -> Launch:
    """`weed mini` without identities: open to every client as s3d is."""
    data = directory / "data"
    data.mkdir(exist_ok=True)
    ports = {name: peers.free_port(spare=10000) for name in ("s3", "master", "volume", "filer", "admin")}
    command = [str(peers.BIN / "weed"), "mini", f"-dir={data}", *WEED_FLAGS]
    command += [f"-{name}.port={port}" for name, port in ports.items()]
    # It would make the credentials of the environment an identity, and admit no other.
    env = {name: value for name, value in peers.clean_env().items() if not name.startswith("AWS_")}
    return Launch(command, env | {"WEED_S3_SSE_KEY": "x"}, f"http://127.0.0.1:{ports['s3']}")


def nginx_files(directory: Path) -> Launch:
    """nginx, with the bucket as a directory of files; its workers and their master run as nobody."""
    port = peers.free_port()
    (directory / "files").mkdir(exist_ok=True)
    (directory / "files" / "index.html").write_bytes(b"ready")
    (directory / "nginx.conf").write_text(nginx.configuration(directory, port))
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
        for parent in (directory, *directory.parents[:1]):
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    command = [nginx.program() or "nginx", "-p", str(directory), "-c", "nginx.conf", "-e", "stderr"]
    return Launch(command, peers.clean_env(), f"http://127.0.0.1:{port}", sign=b"ready", unprivileged=True)


LAUNCHES: dict[str, Callable[[Path], Launch]] = {
    "s3d": s3d,
    "rclone": rclone,
    "rclone-default": lambda directory: rclone(directory, ()),
    "seaweedfs": seaweedfs,
    "nginx": nginx_files,
}


def running(name: str, directory: Path) -> AbstractContextManager[tuple[Contender, float]]:
    """A server of that name, and the seconds from its start to its first answer (a ListBuckets; nginx: a file).

    A directory that is there already is served again.
    """
    directory.mkdir(parents=True, exist_ok=True)
    return started(name, LAUNCHES[name](directory), directory)


def settings() -> dict[str, str]:
    """How each of the others was started, and in what they differ from s3d."""
    return {
        "durable": "s3d's writes are on disk (fsync) when it answers; those of rclone and SeaweedFS are not",
        "signatures": "all requests are signed; no server verifies them",
        "rclone serve s3 DIRECTORY": " ".join(RCLONE_FLAGS),
        "weed mini": " ".join(WEED_FLAGS),
        "nginx.conf": " ".join(nginx.configuration(Path("DIRECTORY"), 0).split()),
    }


def available(names: list[str]) -> dict[str, str]:
    """Why each of those that cannot run here cannot."""
    reasons = {}
    if "nginx" in names and not nginx.program() and (problem := nginx.fetch()):
        reasons["nginx"] = problem
    for name, program in (("rclone", "rclone"), ("rclone-default", "rclone"), ("seaweedfs", "weed")):
        if name in names and not shutil.which(program, path=str(peers.BIN)):
            reasons[name] = f"there is no {program} in {peers.BIN}"
    return reasons
