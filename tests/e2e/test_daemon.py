"""The daemon as a process: its stop, its memory, its log, and what it says when it cannot start."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import peers
import pytest
from botocore.config import Config

MIB = 1 << 20
CUT_OFF = "requests in flight were cut off"
NO_DIRECTORY = "the local directory cannot be used"


def client(url: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name=peers.REGION,
        config=Config(retries={"total_max_attempts": 1}),
    )


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


def test_sigterm_lets_an_upload_in_flight_finish(seaweedfs: peers.Server, bucket: str, remote: Any) -> None:
    body = os.urandom(8 * MIB)
    with peers.s3d(seaweedfs.url) as daemon:
        with raw_put(daemon.url, f"/{bucket}/slow", len(body)) as connection:
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
    assert remote.get_object(Bucket=bucket, Key="slow")["Body"].read() == body


def test_sigterm_cuts_off_what_outlasts_the_grace(seaweedfs: peers.Server) -> None:
    with peers.s3d(seaweedfs.url, warnings=[CUT_OFF], S3D_SHUTDOWN_GRACE="1s") as daemon:
        with raw_put(daemon.url, "/bucket/never", MIB):
            wait_until(lambda: in_flight(daemon) == 1)
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(30) == 0
        assert CUT_OFF in daemon.output()


@pytest.mark.parametrize("end", ["the client leaves", "SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("sent", [0, 1000, 300_000, 900_000])
def test_a_body_that_stops_early_never_becomes_an_object(
    seaweedfs: peers.Server, bucket: str, remote: Any, end: str, sent: int
) -> None:
    with peers.s3d(seaweedfs.url, warnings=[CUT_OFF], S3D_SHUTDOWN_GRACE="0s") as daemon:
        with raw_put(daemon.url, f"/{bucket}/never", MIB) as connection:
            connection.sendall(b"x" * sent)
            wait_until(lambda: in_flight(daemon) == 1)
            time.sleep(0.3)  # what can go on to the remote is there
            if end.startswith("SIG"):
                daemon.process.send_signal(signal.Signals[end])
                daemon.process.wait(30)
        if not end.startswith("SIG"):
            wait_until(lambda: in_flight(daemon) == 0)
    time.sleep(0.3)  # the remote notices
    with pytest.raises(remote.exceptions.ClientError, match="404"):
        remote.head_object(Bucket=bucket, Key="never")


def test_an_idle_connection_does_not_delay_the_stop(seaweedfs: peers.Server) -> None:
    with peers.s3d(seaweedfs.url) as daemon:
        host, port = daemon.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))):
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(10) == 0  # the grace is 30 s


def test_memory_does_not_depend_on_the_size_of_objects(seaweedfs: peers.Server, bucket: str) -> None:
    size = 400 * MIB
    piece = os.urandom(MIB)
    digest = hashlib.sha256()
    with peers.s3d(seaweedfs.url) as daemon:
        with raw_put(daemon.url, f"/{bucket}/large", size) as connection:
            for _ in range(size // MIB):
                connection.sendall(piece)
                digest.update(piece)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        received = hashlib.sha256()
        for part in client(daemon.url).get_object(Bucket=bucket, Key="large")["Body"].iter_chunks(MIB):
            received.update(part)
        assert received.digest() == digest.digest()
        assert peak_memory(daemon.pid) < 150 * MIB


def test_many_slow_readers_do_not_grow_memory(seaweedfs: peers.Server, bucket: str, remote: Any) -> None:
    remote.put_object(Bucket=bucket, Key="large", Body=os.urandom(16 * MIB))
    with peers.s3d(seaweedfs.url) as daemon:
        host, port = daemon.url.removeprefix("http://").split(":")
        readers = [socket.create_connection((host, int(port)), timeout=30) for _ in range(32)]
        for reader in readers:
            reader.sendall(f"GET /{bucket}/large HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        for reader in readers:
            assert reader.recv(1000).startswith(b"HTTP/1.1 200 ")
        time.sleep(1)  # time to read ahead, if anything did without a limit
        for reader in readers:
            reader.close()
        assert peak_memory(daemon.pid) < 200 * MIB  # 32 objects of 16 MiB would be 512 MiB


def test_every_request_is_one_line_of_json_with_the_id_of_its_answer(seaweedfs: peers.Server, bucket: str) -> None:
    with peers.s3d(seaweedfs.url) as daemon:
        with pytest.raises(Exception, match="BadDigest") as failed:
            client(daemon.url).put_object(Bucket=bucket, Key="a\nb", Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
        request_id = failed.value.response["ResponseMetadata"]["RequestId"]
        wait_until(lambda: request_id in daemon.output())  # the line is written after the answer
        records = [json.loads(line) for line in daemon.output().splitlines()]
    (record,) = [r for r in records if r.get("request_id") == request_id]
    assert record["logger"] == "s3d.access"
    assert record["operation"] == "PutObject"
    assert (record["bucket"], record["key"], record["status"]) == (bucket, "a\nb", 400)
    assert record["error"] == "BadDigest"


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


def test_without_a_remote_it_says_what_to_set(tmp_path: Path) -> None:
    env = peers.clean_env(HOME=str(tmp_path))
    del env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
    done = subprocess.run([peers.BIN / "s3d", "run"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "set S3_ENDPOINT=" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_a_sentence(seaweedfs: peers.Server, tmp_path: Path) -> None:
    port = seaweedfs.url.rpartition(":")[2]
    env = peers.clean_env(S3_ENDPOINT="http://127.0.0.1:9", S3D_ENDPOINT=f"http://127.0.0.1:{port}", HOME=str(tmp_path))
    done = subprocess.run([peers.BIN / "s3d", "run"], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "the port is in use" in done.stderr


def test_starts_without_contacting_the_remote_and_serves_when_it_comes_up(tmp_path: Path) -> None:
    port = peers.free_port()
    with peers.s3d(f"http://127.0.0.1:{port}") as daemon:
        with urllib.request.urlopen(f"{daemon.extra['admin']}/health/ready", timeout=5) as answer:
            assert json.load(answer)["remote"]["reachable"] is None
        with AnsweringOnce(port) as received:
            assert client(daemon.url).head_bucket(Bucket="bucket")["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert received == [b"HEAD /bucket HTTP/1.1"]


def pieces(total: int) -> Iterator[bytes]:
    for _ in range(total // 65536):
        yield b"p" * 65536


def in_flight(daemon: peers.Server) -> int:
    with urllib.request.urlopen(f"{daemon.extra['admin']}/status", timeout=5) as answer:
        count: int = json.load(answer)["requests"]["in_flight"]
        return count


def wait_until(condition: Any, *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


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
