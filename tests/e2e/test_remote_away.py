"""The remote is killed, stops answering and comes back, while s3d runs on: what its clients see meanwhile."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import random
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import peers
import pytest
from botocore.exceptions import ClientError, HTTPClientError
from e2e.boto import REMOTE_KEYS, s3_client

pytestmark = pytest.mark.peer

MIB = 1 << 20
BUCKET = "away"
AWAY = ("the remote does not answer", "an answer broke off")
SECONDS = 30  # a client that waits longer than this has not been answered


class Remote:
    """A SeaweedFS server that can be killed, held and started again on its port and its data."""

    def __init__(self, server: peers.Server) -> None:
        self._server = server
        self._process = server.process

    @property
    def url(self) -> str:
        return self._server.url

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        """Starts it if it was killed, and waits until it takes writes, which it does later than it answers."""
        if self._process.poll() is None:
            return
        with self._server.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._server.process.args, stdout=log, stderr=log, cwd=self._server.log.parent, env=peers.clean_env()
            )
        peers.wait_for(self.url, self._process, self._server.log)
        direct = _client(self.url, attempts=10)
        direct.put_object(Bucket=BUCKET, Key="probe", Body=b"x")
        direct.delete_object(Bucket=BUCKET, Key="probe")
        direct.close()

    def hold(self) -> None:
        """The kernel still takes its connections, nobody answers on them."""
        self._process.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        self._process.send_signal(signal.SIGCONT)


def _client(url: str, *, attempts: int = 1) -> Any:
    return s3_client(url, REMOTE_KEYS, attempts=attempts, connect_timeout=SECONDS, read_timeout=SECONDS)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with peers.seaweedfs(tmp_path_factory.mktemp("away")) as server:
        it = Remote(server)
        try:
            yield it
        finally:
            it.kill()


@pytest.fixture(scope="module")
def away(remote: Remote, tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Server]:
    """s3d in front of that remote."""
    with peers.s3d(remote.url, tmp_path_factory.mktemp("s3d-away"), warnings=AWAY) as server:
        yield server


@pytest.fixture
def impatient(remote: Remote, tmp_path: Path) -> Iterator[peers.Server]:
    """s3d in front of that remote, with short time-outs."""
    times = {"S3D_REMOTE_IDLE_TIMEOUT": "2s", "S3D_REMOTE_RESPONSE_TIMEOUT": "2s"}
    with peers.s3d(remote.url, tmp_path / "s3d", warnings=AWAY, **times) as server:
        yield server


@pytest.fixture(scope="module")
def s3(away: peers.Server) -> Iterator[Any]:
    client = _client(away.url)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="kept", Body=b"kept")
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _remote_is_back(remote: Remote) -> Iterator[None]:
    yield
    remote.start()


def _works(s3: Any) -> None:
    """Everything works again, in the first attempt, also on connections that were open before."""
    data = random.Random(1).randbytes(3 * MIB)
    s3.put_object(Bucket=BUCKET, Key="new", Body=io.BytesIO(data))
    assert s3.get_object(Bucket=BUCKET, Key="new")["Body"].read() == data
    assert s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"kept"
    s3.delete_object(Bucket=BUCKET, Key="new")
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert ("kept" in listed, "new" in listed) == (True, False)


def _ask(url: str, method: str, target: str, body: bytes | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    try:
        connection.request(method, target, body)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def _status(url: str) -> tuple[int, Any]:
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        return answer.status, json.load(answer)


REQUESTS = [
    ("GET", f"/{BUCKET}/kept", None),
    ("PUT", f"/{BUCKET}/large", b"x" * (16 * MIB)),  # more than what the kernel takes while nobody reads
    ("GET", "/", None),
    ("GET", f"/{BUCKET}?list-type=2", None),
    ("GET", f"/{BUCKET}?lifecycle", None),
    ("PUT", f"/{BUCKET}/small", b"x"),
    ("POST", f"/{BUCKET}/k?uploads", b""),
    ("DELETE", f"/{BUCKET}/kept", None),
]


def _expect_503(server: peers.Server, remote: Remote, requests: list[tuple[str, str, bytes | None]]) -> None:
    """Every request is answered as S3 says that it is not available, and the daemon itself is well."""
    for method, target, body in requests:
        answer, text = _ask(server.url, method, target, body)
        assert (answer.status, answer.getheader("Content-Type")) == (503, "application/xml"), (method, target, text)
        assert int(answer.getheader("Retry-After") or "") > 0
        error = ET.fromstring(text)
        assert (error.tag, error.findtext("Code")) == ("Error", "ServiceUnavailable")
        assert urlsplit(remote.url).netloc in (error.findtext("Message") or "")
        assert error.findtext("RequestId") == answer.getheader("x-amz-request-id")
    head, nothing = _ask(server.url, "HEAD", f"/{BUCKET}/kept")
    assert (head.status, nothing) == (503, b"")
    assert _status(f"{server.extra['admin']}/health/live")[0] == 200
    ready, document = _status(f"{server.extra['admin']}/health/ready")
    assert (ready, document["remote"]["reachable"]) == (200, False), document


def test_while_the_remote_is_gone_every_answer_is_503_and_then_all_works_again(
    s3: Any, remote: Remote, away: peers.Server
) -> None:
    _works(s3)
    remote.kill()
    _expect_503(away, remote, REQUESTS)
    remote.start()
    _works(s3)
    assert away.process.poll() is None


def test_a_remote_that_takes_connections_but_does_not_answer_is_away_too(
    s3: Any, remote: Remote, impatient: peers.Server
) -> None:
    _works(s3)
    remote.hold()
    try:
        _expect_503(impatient, remote, REQUESTS[:2])
    finally:
        remote.release()
    _works(s3)
    answer, body = _ask(impatient.url, "GET", f"/{BUCKET}/kept")
    assert (answer.status, body) == (200, b"kept")


class _Breaking(io.BytesIO):
    """A file that does something once, when it was sent up to the middle. That the SDK reads it to hash it counts not."""

    def __init__(self, data: bytes, client: Any, then: Callable[[], None]) -> None:
        super().__init__(data)
        self._then = then
        self._middle = len(data) // 2
        self._sending = self.done = False
        client.meta.events.register_first("before-send.s3.PutObject", self._start)

    def _start(self, **_: Any) -> None:
        self._sending = True

    def read(self, size: int | None = -1) -> bytes:
        if self._sending and not self.done and self.tell() >= self._middle:
            self.done = True
            self._then()
        return super().read(size)


def test_the_remote_is_killed_in_the_middle_of_an_upload(s3: Any, remote: Remote) -> None:
    file = _Breaking(random.Random(2).randbytes(24 * MIB), s3, remote.kill)
    with pytest.raises(ClientError) as broken:
        s3.put_object(Bucket=BUCKET, Key="half", Body=file)
    assert file.done
    assert broken.value.response["Error"]["Code"] == "ServiceUnavailable"
    remote.start()
    with pytest.raises(ClientError) as missing:
        s3.head_object(Bucket=BUCKET, Key="half")
    assert missing.value.response["Error"]["Code"] == "404"
    _works(s3)


def test_the_remote_is_killed_in_the_middle_of_a_download(s3: Any, remote: Remote, away: peers.Server) -> None:
    data = random.Random(3).randbytes(48 * MIB)  # more than the buffers between here and the remote hold
    s3.put_object(Bucket=BUCKET, Key="half", Body=io.BytesIO(data))
    body = s3.get_object(Bucket=BUCKET, Key="half")["Body"]
    first = body.read(MIB)
    remote.kill()
    with pytest.raises(HTTPClientError) as broken:  # never the end of a whole body
        body.read()
    assert first == data[:MIB]
    assert "IncompleteRead" in str(broken.value) or "reset" in str(broken.value)
    remote.start()
    got = s3.get_object(Bucket=BUCKET, Key="half")["Body"].read()
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    s3.delete_object(Bucket=BUCKET, Key="half")
    _works(s3)


def test_a_transfer_with_the_sdks_own_retries_survives_a_restart(away: peers.Server, s3: Any, remote: Remote) -> None:
    client = _client(away.url, attempts=8)
    data = random.Random(4).randbytes(24 * MIB)

    def restart() -> None:
        remote.kill()
        remote.start()

    file = _Breaking(data, client, restart)
    client.put_object(Bucket=BUCKET, Key="retried", Body=file)
    assert file.done
    got = client.get_object(Bucket=BUCKET, Key="retried")["Body"].read()
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    client.delete_object(Bucket=BUCKET, Key="retried")
    client.close()
    _works(s3)
