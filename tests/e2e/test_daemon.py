"""The daemon as a process: its stop, its memory, its log, and what it says when it cannot start."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import peers
import pytest
from e2e.boto import s3_client
from e2e.target import Target
from e2e.waiting import wait_until

MIB = 1 << 20
S3D = str(peers.BIN / "s3d")
ONLY_GATEWAY = pytest.mark.parametrize("target", ["gateway"], indirect=True)
CUT_OFF = "requests in flight were cut off"
NO_DIRECTORY = "the local directory cannot be used"


class Daemons:
    """Starts daemons on one store, one after the other, and shows what is stored there. ``bucket`` is in it."""

    def __init__(self, target: Target, remote: Any, bucket: str, directory: Path) -> None:
        self._target = target
        self._remote = remote
        self.bucket = bucket
        self._directory = directory

    def start(self, **settings: Any) -> AbstractContextManager[peers.Server]:
        """A daemon in front of the remote, or on an embedded store of this test's own."""
        if self._target.name == "gateway":
            return peers.s3d(self._target.store.url, **settings)
        return peers.s3d("local:", self._directory, S3D_CREATE_BUCKETS=self.bucket, **settings)

    @contextlib.contextmanager
    def stored(self) -> Iterator[Any]:
        """A client that sees what is stored once the daemon has ended."""
        if self._target.name == "gateway":
            yield self._remote
            return
        with self.start() as daemon, contextlib.closing(s3_client(daemon.url)) as client:
            yield client


@pytest.fixture
def daemons(target: Target, remote: Any, bucket: str, tmp_path: Path) -> Daemons:
    return Daemons(target, remote, bucket, tmp_path / "daemon")


def peak_memory(pid: int) -> int:
    """Bytes: the most that the process ever had in RAM."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def raw_put(url: str, path: str, length: int) -> socket.socket:
    """A connection on which the head of a PUT was sent, and nothing of its body."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode())
    return connection


def test_sigterm_lets_an_upload_in_flight_finish(daemons: Daemons) -> None:
    body = os.urandom(8 * MIB)
    with daemons.start() as daemon:
        with raw_put(daemon.url, f"/{daemons.bucket}/slow", len(body)) as connection:
            connection.sendall(body[: 4 * MIB])
            wait_until(lambda: in_flight(daemon) == 1)
            daemon.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "stopping" in daemon.output())
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", int(daemon.url.rpartition(":")[2])), timeout=5).close()
            connection.sendall(body[4 * MIB :])
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer.lower()
        assert daemon.process.wait(30) == 0
    with daemons.stored() as store:
        assert store.get_object(Bucket=daemons.bucket, Key="slow")["Body"].read() == body


def test_sigterm_cuts_off_what_outlasts_the_grace(daemons: Daemons) -> None:
    with daemons.start(warnings=[CUT_OFF], S3D_SHUTDOWN_GRACE="1s") as daemon:
        with raw_put(daemon.url, f"/{daemons.bucket}/never", MIB):
            wait_until(lambda: in_flight(daemon) == 1)
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(30) == 0
        assert CUT_OFF in daemon.output()


@pytest.mark.parametrize("end", ["the client leaves", "SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("sent", [0, 1000, 300_000, 900_000])
def test_a_body_that_stops_early_never_becomes_an_object(daemons: Daemons, end: str, sent: int) -> None:
    with daemons.start(warnings=[CUT_OFF], S3D_SHUTDOWN_GRACE="0s") as daemon:
        with raw_put(daemon.url, f"/{daemons.bucket}/never", MIB) as connection:
            connection.sendall(b"x" * sent)
            wait_until(lambda: in_flight(daemon) == 1)
            time.sleep(0.3)  # what can go on to the remote is there
            if end.startswith("SIG"):
                daemon.process.send_signal(signal.Signals[end])
                daemon.process.wait(30)
        if not end.startswith("SIG"):
            wait_until(lambda: in_flight(daemon) == 0)
    time.sleep(0.3)  # the remote notices
    with daemons.stored() as store, pytest.raises(store.exceptions.ClientError, match="404"):
        store.head_object(Bucket=daemons.bucket, Key="never")


def test_an_idle_connection_does_not_delay_the_stop(daemons: Daemons) -> None:
    with daemons.start() as daemon:
        host, port = daemon.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))):
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(10) == 0  # the grace is 30 s


def test_memory_does_not_depend_on_the_size_of_objects(daemons: Daemons) -> None:
    size = 400 * MIB
    piece = os.urandom(MIB)
    digest = hashlib.sha256()
    with daemons.start() as daemon:
        with raw_put(daemon.url, f"/{daemons.bucket}/large", size) as connection:
            for _ in range(size // MIB):
                connection.sendall(piece)
                digest.update(piece)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        received = hashlib.sha256()
        for part in s3_client(daemon.url).get_object(Bucket=daemons.bucket, Key="large")["Body"].iter_chunks(MIB):
            received.update(part)
        assert received.digest() == digest.digest()
        assert peak_memory(daemon.pid) < 150 * MIB


def test_many_slow_readers_do_not_grow_memory(daemons: Daemons) -> None:
    with daemons.start() as daemon:
        s3_client(daemon.url).put_object(Bucket=daemons.bucket, Key="large", Body=os.urandom(16 * MIB))
        host, port = daemon.url.removeprefix("http://").split(":")
        readers = [socket.create_connection((host, int(port)), timeout=30) for _ in range(32)]
        for reader in readers:
            reader.sendall(f"GET /{daemons.bucket}/large HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        for reader in readers:
            assert reader.recv(1000).startswith(b"HTTP/1.1 200 ")
        time.sleep(1)  # time to read ahead, if anything did without a limit
        for reader in readers:
            reader.close()
        assert peak_memory(daemon.pid) < 200 * MIB  # 32 objects of 16 MiB would be 512 MiB


def test_every_request_is_one_line_of_json_with_the_id_of_its_answer(daemons: Daemons) -> None:
    with daemons.start() as daemon:
        with pytest.raises(Exception, match="BadDigest") as failed:
            s3_client(daemon.url).put_object(
                Bucket=daemons.bucket, Key="a\nb", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA=="
            )
        request_id = failed.value.response["ResponseMetadata"]["RequestId"]
        wait_until(lambda: request_id in daemon.output())  # the line is written after the answer
        records = [json.loads(line) for line in daemon.output().splitlines()]
    (record,) = [r for r in records if r.get("request_id") == request_id]
    assert record["logger"] == "s3d.access"
    assert record["operation"] == "PutObject"
    assert (record["bucket"], record["key"], record["status"]) == (daemons.bucket, "a\nb", 400)
    assert record["error"] == "BadDigest"


@ONLY_GATEWAY
def test_losing_the_local_directory_leaves_a_working_gateway(seaweedfs: peers.Server, bucket: str, remote: Any) -> None:
    with peers.s3d(seaweedfs.url, warnings=[NO_DIRECTORY]) as daemon:
        local = daemon.log.parent / "local"
        shutil.rmtree(local)
        local.write_text("not a directory")
        request = urllib.request.Request(f"{daemon.url}/{bucket}/chunked", data=pieces(2 * MIB), method="PUT")
        with urllib.request.urlopen(request, timeout=60) as answer:  # of unknown length: needs a temporary file
            assert answer.status == 200
        assert NO_DIRECTORY in daemon.output()
    assert remote.head_object(Bucket=bucket, Key="chunked")["ContentLength"] == 2 * MIB


@pytest.fixture
def no_credentials(tmp_path: Path) -> dict[str, str]:
    """An environment without any, on a machine where an embedded store was used before."""
    local = tmp_path / ".s3d"
    with peers.s3d("local:", tmp_path / "before", S3D_LOCAL_DIR=str(local), S3D_CREATE_BUCKETS="demo") as daemon:
        s3_client(daemon.url).put_object(Bucket="demo", Key="k", Body=b"not at the remote")
    endpoints = {"S3D_ENDPOINT": f"http://127.0.0.1:{peers.free_port()}", "S3D_ADMIN_ENDPOINT": "http://127.0.0.1:0"}
    env = peers.clean_env(HOME=str(tmp_path), **endpoints)
    del env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    return env


def test_without_a_remote_it_says_what_to_set(no_credentials: dict[str, str]) -> None:
    """Nothing but S3_ENDPOINT=local: leads to the embedded store, also where there is one."""
    done = subprocess.run([S3D, "run"], env=no_credentials, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "set S3_ENDPOINT=" in done.stderr
    assert "serves S3" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_remote_without_credentials_is_never_the_embedded_store(no_credentials: dict[str, str]) -> None:
    env = {**no_credentials, "S3_ENDPOINT": "http://127.0.0.1:9"}
    with subprocess.Popen([S3D, "run"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("serves S3" in line for line in process.stderr)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{env['S3D_ENDPOINT']}/demo/k", timeout=30)
        assert refused.value.code == 503
        assert b"credentials" in refused.value.read()
        process.terminate()
        assert process.wait(30) == 0


def test_a_store_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    env = peers.clean_env(HOME=str(tmp_path), S3_ENDPOINT=f"local:{tmp_path}/file/store")
    done = subprocess.run([S3D, "run"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"the local storage cannot be opened: the directory {tmp_path}/file/store cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_a_sentence(seaweedfs: peers.Server, tmp_path: Path) -> None:
    port = seaweedfs.url.rpartition(":")[2]
    env = peers.clean_env(S3_ENDPOINT="http://127.0.0.1:9", S3D_ENDPOINT=f"http://127.0.0.1:{port}", HOME=str(tmp_path))
    done = subprocess.run([S3D, "run"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "the port is in use" in done.stderr


def test_starts_without_contacting_the_remote_and_serves_when_it_comes_up(tmp_path: Path) -> None:
    port = peers.free_port()
    with peers.s3d(f"http://127.0.0.1:{port}") as daemon:
        with urllib.request.urlopen(f"{daemon.extra['admin']}/health/ready", timeout=5) as answer:
            assert json.load(answer)["remote"]["reachable"] is None
        with AnsweringOnce(port) as received:
            assert s3_client(daemon.url).head_bucket(Bucket="bucket")["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert received == [b"HEAD /bucket HTTP/1.1"]


def pieces(total: int) -> Iterator[bytes]:
    for _ in range(total // 65536):
        yield b"p" * 65536


def in_flight(daemon: peers.Server) -> int:
    with urllib.request.urlopen(f"{daemon.extra['admin']}/status", timeout=5) as answer:
        count: int = json.load(answer)["requests"]["in_flight"]
        return count


class AnsweringOnce:
    """A remote that answers one request with 200 and remembers its request line."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._received: list[bytes] = []

    def __enter__(self) -> list[bytes]:
        self._thread.start()
        return self._received

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self._received.append(connection.recv(65536).split(b"\r\n")[0])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
