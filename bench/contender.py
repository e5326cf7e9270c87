"""A server that is measured: how it is started, how it says that it is there, and single requests to it."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import peers
from signing import UNSIGNED, signed_head

NOBODY = 65534  # the user and the group that own nothing, on every Linux


@dataclass(frozen=True)
class Contender:
    """A server that answers S3 requests."""

    name: str
    url: str
    pid: int

    @property
    def write_bucket(self) -> str:
        return f"bench-write-{self.name}"


@dataclass(frozen=True)
class Launch:
    """How a server is started: its command, its environment and the URL where it will answer.

    It is there when the answer to GET ``path`` is 200 and has ``sign`` in it. ``unprivileged``: root starts it as nobody.
    """

    command: list[str]
    env: dict[str, str]
    url: str
    path: str = "/"
    sign: bytes = b"ListAllMyBucketsResult"
    unprivileged: bool = False


@contextlib.contextmanager
def started(name: str, launch: Launch, directory: Path) -> Iterator[tuple[Contender, float]]:
    """The running server, and the seconds from its start to its first answer."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            launch.command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=launch.env,
            cwd=directory,
            **(
                {"user": NOBODY, "group": NOBODY, "extra_groups": ()}
                if launch.unprivileged and not os.geteuid()
                else {}
            ),
        )
    try:
        wait_for_answer(launch, process, log)
        yield Contender(name, launch.url, process.pid), time.perf_counter() - start
    finally:
        peers.stop(process)


def wait_for_answer(launch: Launch, process: subprocess.Popen[bytes], log: Path, *, seconds: float = 30) -> None:
    """Returns when the server is there. RuntimeError, with its log, when it has ended or gives another answer."""
    deadline = time.monotonic() + seconds
    status, body = 0, b""
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status, body = request(launch.url, "GET", launch.path)
        except OSError:
            time.sleep(0.001)
            continue
        if status == 200 and launch.sign in body:
            return
        if status != 503:
            raise RuntimeError(f"{launch.url} answered {status}: {body[:500]!r}")
        time.sleep(0.01)
    raise RuntimeError(
        f"{launch.url} did not come up (exit code {process.poll()}, last status {status}):\n"
        f"{log.read_text(errors='replace')[-3000:]}"
    )


def request(
    url: str,
    method: str,
    path: str,
    *,
    query: dict[str, str] | None = None,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """One signed request on a connection of its own: status and body. For what is not measured."""
    head = signed_head(url, method, path, query=query, length=len(body), payload_hash=UNSIGNED, headers=headers)
    first, *lines = head.decode().rstrip().split("\r\n")
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        fields = dict(line.split(": ", 1) for line in lines)
        connection.request(method, first.split(" ")[1], body or None, fields)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
