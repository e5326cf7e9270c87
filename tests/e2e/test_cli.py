"""The command ``s3d`` as a process: against the daemon, and where a server would get in the way
of what is tested (keys that it refuses, pages at a chosen moment) against s3d's own listener over the reference model."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import peers
import pytest
from e2e.target import Target
from model.memory import Memory

from s3d.s3.backend import Backend
from s3d.s3.message import S3Request, S3Response
from s3d.server.config import ServerConfig
from s3d.server.listener import Server

pytestmark = pytest.mark.peer

MIB = 1 << 20
S3D = str(peers.BIN / "s3d")


@pytest.fixture
def env(target: Target) -> dict[str, str]:
    if target.name == "control":
        pytest.skip("the command line speaks to the daemon: no remote takes unsigned requests")
    return peers.clean_env(S3D_ENDPOINT=target.server.url, S3D_ADMIN_ENDPOINT=target.server.extra["admin"])


Result = subprocess.CompletedProcess[bytes]


@pytest.fixture
def s3d(env: dict[str, str], tmp_path: Path) -> Callable[..., Result]:
    """Runs ``s3d`` to its end; fails when it ends with another exit code than `code` or with a traceback."""

    def call(*arguments: str | bytes | Path, code: int = 0, **options: Any) -> Result:
        done = subprocess.run([S3D, *arguments], capture_output=True, env=env, cwd=tmp_path, timeout=120, **options)
        assert done.returncode == code, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        return done

    return call


@asynccontextmanager
async def serving(backend: Backend) -> AsyncIterator[dict[str, str]]:
    """s3d's listener in front of a Backend, in this process; the environment that leads the command line to it."""
    server = Server(backend, ServerConfig("127.0.0.1", 0))
    await server.start()
    try:
        yield peers.clean_env(S3D_ENDPOINT=f"http://127.0.0.1:{server.port}")
    finally:
        await server.stop(0)


async def execute(env: dict[str, str], *arguments: str | bytes, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Runs ``s3d`` beside the server of this process: exit code, stdout, stderr."""
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(S3D, *arguments, env=env, stdin=pipe, stdout=pipe, stderr=pipe)
    out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out, err


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_100_mib_through_parallel_parts_and_back(s3d: Any, bucket: str, remote: Any, tmp_path: Path) -> None:
    data = random.Random(1).randbytes(100 * MIB)
    (tmp_path / "in").write_bytes(data)
    report = json.loads(s3d("put", f"{bucket}/big.bin", "-i", "in", "--json").stdout)
    assert report["etag"].endswith("-7")
    s3d("get", f"{bucket}/big.bin", "-o", "out")
    assert sha256((tmp_path / "out").read_bytes()) == sha256(data)
    assert sha256(s3d("get", "-q", f"{bucket}/big.bin").stdout) == sha256(data)
    assert sha256(remote.get_object(Bucket=bucket, Key="big.bin")["Body"].read()) == sha256(data)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 23 * MIB + 1])
def test_stdin_of_unknown_length(s3d: Any, bucket: str, size: int) -> None:
    data = random.Random(size).randbytes(size)
    s3d("put", f"{bucket}/stream", "--part-size", "5MiB", input=data)
    assert sha256(s3d("get", "-q", f"{bucket}/stream").stdout) == sha256(data)


def test_what_is_said_about_the_object_is_stored(s3d: Any, bucket: str, remote: Any) -> None:
    s3d("put", f"s3://{bucket}/a.html", "-m", "colour=red", "-t", "x=1", "-t", "y=a b", input=b"<p>")
    head = remote.head_object(Bucket=bucket, Key="a.html")
    assert (head["ContentType"], head["Metadata"]) == ("text/html", {"colour": "red"})
    s3d("set", f"{bucket}/a.html", "-t", "y=2", "--tag", "z=3")
    assert s3d("set", f"{bucket}/a.html").stdout.splitlines() == [b"x=1", b"y=2", b"z=3"]
    s3d("set", f"{bucket}/a.html", "--reset")
    assert remote.get_object_tagging(Bucket=bucket, Key="a.html")["TagSet"] == []
    shown = s3d("get", f"{bucket}/a.html")
    assert shown.stdout == b"<p>"
    assert b"content-type: text/html" in shown.stderr.lower()
    assert b"x-s3d-state: remote" in shown.stderr.lower()


def test_status(s3d: Any, bucket: str, env: dict[str, str]) -> None:
    document = json.loads(s3d("status", "--json").stdout)
    with urllib.request.urlopen(f"{env['S3D_ADMIN_ENDPOINT']}/status") as answer:
        assert document.keys() == json.load(answer).keys()
    assert b"version:" in s3d("status").stdout
    s3d("put", f"{bucket}/k", "-t", "a=1", input=b"12345")
    status = json.loads(s3d("status", "--json", f"{bucket}/k").stdout)
    assert (status["size"], status["tags"], status["state"]) == (5, 1, "remote")
    assert s3d("status", bucket).stdout.startswith(f"bucket: {bucket}\n".encode())


def test_remove(s3d: Any, bucket: str, remote: Any) -> None:
    for key in ("a", "p/1", "p/2", "p/d/3"):
        remote.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert s3d("rm", "-r", "-v", f"{bucket}/p/").stdout.count(b"deleted") == 3
    s3d("rm", f"{bucket}/a")
    s3d("rm", f"{bucket}/a", code=1)
    s3d("rm", "-f", f"{bucket}/a")
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["get", "{bucket}/missing"], 1, "s3d: NoSuchKey: The specified key does not exist. ({bucket}/missing)\n"),
        (["ls", "missing-{bucket}"], 1, "s3d: NoSuchBucket: "),
        (["status", "{bucket}/missing"], 1, "s3d: NotFound: There is no such bucket or key. ({bucket}/missing)\n"),
        (["rm", "{bucket}"], 2, "Usage: s3d rm"),
        (["get", "{bucket}"], 2, "Usage: s3d get"),
        (["nonsense"], 2, "Usage: s3d"),
        (
            ["ls", "--endpoint", "http://127.0.0.1:9"],
            1,
            "s3d: No daemon answers at http://127.0.0.1:9: Connection refused",
        ),
        (["status", "--admin-endpoint", "http://127.0.0.1:9"], 1, "s3d: No daemon answers at http://127.0.0.1:9"),
    ],
)
def test_errors_are_a_sentence_and_an_exit_code(
    s3d: Any, bucket: str, arguments: list[str], code: int, message: str
) -> None:
    done = s3d(*[argument.format(bucket=bucket) for argument in arguments], code=code)
    assert done.stdout == b""
    assert done.stderr.decode().startswith(message.format(bucket=bucket))


def bytes_out(env: dict[str, str]) -> int:
    with urllib.request.urlopen(f"{env['S3D_ADMIN_ENDPOINT']}/status") as answer:
        return int(json.load(answer)["requests"]["bytes_out"])


def test_after_kill_9_only_the_rest_is_fetched(
    s3d: Any, bucket: str, remote: Any, env: dict[str, str], tmp_path: Path
) -> None:
    data = random.Random(2).randbytes(64 * MIB)
    remote.put_object(Bucket=bucket, Key="k", Body=data)
    command = ["get", "-q", f"{bucket}/k", "-o", "out", "--part-size", "1MiB", "--jobs", "1"]
    journal = tmp_path / "out.s3d-part.journal"
    process = subprocess.Popen([S3D, *command], env=env, cwd=tmp_path)
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b".\n") >= 8):
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    done = journal.read_bytes().count(b".\n")
    before = bytes_out(env)
    s3d(*command)
    assert sha256((tmp_path / "out").read_bytes()) == sha256(data)
    assert bytes_out(env) - before < (64 - done) * MIB + MIB
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_upload_leaves_nothing(
    bucket: str, remote: Any, env: dict[str, str], number: signal.Signals, code: int
) -> None:
    as_in_a_terminal = ["env", "--default-signal=INT"]  # what a shell starts in the background ignores it
    command = [*as_in_a_terminal, S3D, "put", f"{bucket}/k", "--part-size", "5MiB"]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(bytes(11 * MIB))  # more than is read ahead: the first part is on its way, stdin stays open
        process.stdin.flush()
        while not remote.list_multipart_uploads(Bucket=bucket).get("Uploads"):
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(60) == code
        assert b"Traceback" not in process.stderr.read()
    assert not remote.list_multipart_uploads(Bucket=bucket).get("Uploads")
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)


def test_a_large_stream_needs_little_memory(bucket: str, env: dict[str, str]) -> None:
    command = [S3D, "put", f"{bucket}/k", "--part-size", "5MiB"]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for _ in range(256):
            process.stdin.write(bytes(MIB))
        process.stdin.flush()
        # The kernel's own high-water mark; what wait4() tells includes the process that started this one.
        peak = next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line)
        process.stdin.close()
        assert process.wait(60) == 0
    assert int(peak.split()[1]) < 150 * 1024  # KiB: an interpreter with its libraries, and six parts


@pytest.mark.parametrize("command", [["get", "-q", "{bucket}/k"], ["ls", "-r", "{bucket}"]])
def test_a_reader_that_leaves_is_no_error(bucket: str, remote: Any, env: dict[str, str], command: list[str]) -> None:
    remote.put_object(Bucket=bucket, Key="k", Body=bytes(8 * MIB))
    arguments = [S3D, *(part.format(bucket=bucket) for part in command)]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(arguments, env=env, stdout=write, stderr=subprocess.PIPE, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


async def seeded(count: int = 0) -> Memory:
    """The reference model with a bucket and so many objects in it."""
    memory = Memory()
    await memory(S3Request("PUT", "CreateBucket", "bucket"))
    if count:
        await memory(S3Request("PUT", "PutObject", "bucket", "seed", body=b"x"))
        objects = memory.store.buckets["bucket"].objects
        seed = objects.pop("seed")
        objects.update({f"k{number:05}": seed for number in range(count)})
    return memory


class PausedPages:
    """A Backend whose second page of a listing waits for an event."""

    def __init__(self, inner: Memory) -> None:
        self._inner = inner
        self.go_on = asyncio.Event()

    async def __call__(self, request: S3Request) -> S3Response:
        if request.parameter("continuation-token"):
            await self.go_on.wait()
        return await self._inner(request)


async def test_a_long_listing_streams() -> None:
    memory = await seeded(3500)
    backend = PausedPages(memory)
    async with serving(backend) as env:
        process = await asyncio.create_subprocess_exec(S3D, "ls", "bucket", env=env, stdout=subprocess.PIPE)
        assert process.stdout is not None
        async with asyncio.timeout(60):  # for ever, were the lines held back while the second page waits
            first = [await process.stdout.readline() for _ in range(1000)]
        assert first[-1].endswith(b" k00999\n")
        backend.go_on.set()
        rest = (await process.stdout.read()).splitlines()
        assert await process.wait() == 0
    assert len(rest) == 2500
    assert rest[-1].endswith(b" k03499")


ODD_KEYS = [
    b"a//b",
    b"../x",
    b"./.././",
    b"/lead",
    b"trail/",
    b" sp ace ",
    b"%2F+%",
    b"?a=b&c#d",
    "é😀".encode(),
    b"\xff\xfe",
    b"new\nline\x01",
    b"k" * 1024,
]


async def test_keys_are_bytes() -> None:
    memory = await seeded()
    async with serving(memory) as env:
        puts = [execute(env, "put", b"bucket/" + key, stdin=b"<" + key + b">") for key in ODD_KEYS]
        assert await asyncio.gather(*puts) == [(0, b"", b"")] * len(ODD_KEYS)
        stored = {key.encode("utf-8", "surrogateescape") for key in memory.store.buckets["bucket"].objects}
        assert stored == set(ODD_KEYS)
        gets = [execute(env, "get", "-q", b"bucket/" + key) for key in ODD_KEYS]
        assert await asyncio.gather(*gets) == [(0, b"<" + key + b">", b"") for key in ODD_KEYS]
        code, out, _ = await execute(env, "ls", "-r", "--json", "bucket")
        listed = [json.loads(line)["key"].encode("utf-8", "surrogateescape") for line in out.splitlines()]
        assert (code, listed) == (0, sorted(ODD_KEYS))
        assert await execute(env, "rm", "-r", "-f", "bucket") == (0, b"", b"")
    assert not memory.store.buckets["bucket"].objects
