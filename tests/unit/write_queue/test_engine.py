"""The engine with a remote that does as told: order, parallelism, outages, ambiguous failures, refusals, damage."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from model.memory import Memory
from unit.write_queue.opened import BUCKET, Opened, opened

from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue.engine import Engine
from s3d.write_queue.operation import SMALL

LARGE = b"l" * 200_000
Fault = Callable[[S3Request], Any]


@dataclass
class Faulty:
    """A Backend around the model. ``before`` and ``after`` see each request with its body, and may raise; ``turn``, if it
    is set, is waited for; ``most`` is how many were under way at once."""

    inner: Memory = field(default_factory=Memory)
    before: Fault = lambda request: None
    after: Fault = lambda request: None
    turn: asyncio.Event | None = None
    seen: list[S3Request] = field(default_factory=list)
    under_way: int = 0
    most: int = 0

    async def __call__(self, request: S3Request) -> S3Response:
        self.seen.append(request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if not isinstance(request.body, bytes):
                request.body = b"".join([piece async for piece in request.body])
            self.before(request)
            if self.turn is not None:
                await self.turn.wait()
            await asyncio.sleep(0)
            response = await self.inner(request)
            self.after(request)
            return response
        finally:
            self.under_way -= 1

    def names(self, *operations: str) -> list[str]:
        """Keys of the requests of these kinds, in order."""
        return [request.key or "" for request in self.seen if request.operation in operations]

    async def stored(self, key: str) -> bytes | None:
        """What is there in the end."""
        response = await self.inner(codec.build_request("GetObject", {"Bucket": BUCKET, "Key": key}))
        if response.status != 200:
            return None
        if isinstance(response.body, bytes):
            return response.body
        return b"".join([bytes(piece) async for piece in response.body])  # type: ignore[union-attr, arg-type]


@dataclass
class Running:
    queue: Opened
    remote: Faulty
    engine: Engine

    async def sending(self, count: int = 1) -> None:
        """Returns when so many requests are under way."""
        async with asyncio.timeout(10):
            while self.remote.under_way < count:
                await asyncio.sleep(0.01)

    async def drained(self) -> None:
        async with asyncio.timeout(20):
            assert await self.engine.flush(15) == 0


@contextlib.asynccontextmanager
async def running(
    directory: Path, *, workers: int = 4, versioning: str | None = None, start: bool = True, **named: Any
) -> AsyncIterator[Running]:
    remote = Faulty()
    status = {"VersioningConfiguration": {"Status": versioning}}
    await remote.inner(codec.build_request("CreateBucket", {"Bucket": BUCKET}))
    if versioning:
        await remote.inner(codec.build_request("PutBucketVersioning", {"Bucket": BUCKET, **status}))
    async with opened(directory, versioning=versioning) as queue:
        engine = Engine(queue.journal, remote, queue.store.bodies, workers, **named)
        if start:
            engine.start()
        try:
            yield Running(queue, remote, engine)
        finally:
            await engine.stop(0)


def once(error: Exception, operation: str) -> Fault:
    """Raises at the first request of that kind."""
    left = [error]

    def fault(request: S3Request) -> None:
        if request.operation == operation and left:
            raise left.pop()

    return fault


def error(code: str) -> S3Error:
    return S3Error(code)


GONE = "The remote S3 at http://x cannot be reached: test"


async def test_what_is_pushed_is_what_was_accepted(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k", LARGE, Content_Type="text/x", x_amz_meta_a="1", x_amz_tagging="t=v%20w")
        it.engine.start()
        await it.drained()
        (request,) = [request for request in it.remote.seen if request.operation == "PutObject"]
        assert request.body == LARGE
        assert request.headers["Content-MD5"] == base64.b64encode(hashlib.md5(LARGE).digest()).decode()
        sent = {name: request.headers[name] for name in ("Content-Type", "x-amz-meta-a", "x-amz-tagging")}
        assert sent == {"Content-Type": "text/x", "x-amz-meta-a": "1", "x-amz-tagging": "t=v%20w"}
        assert it.queue.journal.usage() == (0, 0)
        assert (it.engine.pace.operations, it.engine.pace.bytes) == (1, len(LARGE))


async def test_of_one_key_in_order_and_one_at_a_time(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        for number in range(5):
            await it.queue.put("k", b"%d" % number)
        await it.queue.do("DeleteObject", {"Key": "k"})
        await it.queue.put("k", b"last")
        it.engine.start()
        await it.drained()
        bodies = [r.body for r in it.remote.seen if r.operation in ("PutObject", "DeleteObject")]
        assert bodies == [b"0", b"1", b"2", b"3", b"4", b"", b"last"]
        assert it.remote.most == 1
        assert await it.remote.stored("k") == b"last"


async def test_several_keys_at_a_time(tmp_path: Path) -> None:
    async with running(tmp_path, workers=3, start=False) as it:
        for number in range(20):
            await it.queue.put(f"k{number:02}")
        it.remote.turn = asyncio.Event()
        it.engine.start()
        await it.sending(3)
        assert it.engine.document()["pushing"] == 3
        it.remote.turn.set()
        await it.drained()
        assert it.remote.most == 3
        assert sorted(it.remote.names("PutObject")) == [f"k{number:02}" for number in range(20)]


async def test_large_ones_leave_a_worker_to_small_ones(tmp_path: Path) -> None:
    async with running(tmp_path, workers=2, start=False) as it:
        for number in range(3):
            await it.queue.put(f"large{number}", b"x" * (SMALL + 1))
        await it.queue.put("small", b"s")
        it.remote.turn = asyncio.Event()
        it.engine.start()
        await it.sending(2)
        assert set(it.remote.names("PutObject")) == {"large0", "small"}
        it.remote.turn.set()
        await it.drained()


async def test_while_the_remote_is_away_one_request_asks_for_it(tmp_path: Path) -> None:
    async with running(tmp_path, workers=2, start=False) as it:
        for number in range(10):
            await it.queue.put(f"k{number}")

        def away(request: S3Request) -> None:
            raise RemoteUnreachable(GONE)

        it.remote.before = away
        it.engine.start()
        async with asyncio.timeout(10):
            while it.remote.names("HeadBucket").__len__() < 2 and len(it.remote.seen) < 4:
                await asyncio.sleep(0.01)
        assert it.engine.document()["away"] == GONE
        assert len(it.remote.names("PutObject")) <= 2
        with pytest.raises(RemoteUnreachable):
            await it.engine.flush_key(BUCKET, b"k5", 5)
        it.remote.before = lambda request: None
        await it.drained()
        assert it.engine.document()["away"] is None
        assert all([await it.remote.stored(f"k{number}") == b"body" for number in range(10)])


@pytest.mark.parametrize("kind", ["put", "delete", "upload"])
async def test_an_answer_that_is_lost_is_looked_for(tmp_path: Path, kind: str) -> None:
    async with running(tmp_path, versioning="Enabled", start=False) as it:
        operation = {"put": "PutObject", "delete": "DeleteObject", "upload": "CompleteMultipartUpload"}[kind]
        if kind == "put":
            await it.queue.put("k", b"same")
            await it.queue.put("k", b"same")
        elif kind == "delete":
            await it.queue.do("DeleteObject", {"Key": "k"})
        else:
            await upload(it.queue, "k")
        it.remote.after = once(RemoteUnreachable(GONE), operation)
        it.engine.start()
        await it.drained()
        assert len(it.remote.names(operation)) == (2 if kind == "put" else 1)
        listed = await it.remote.inner(codec.build_request("ListObjectVersions", {"Bucket": BUCKET}))
        assert isinstance(listed.body, bytes)
        found = codec.parse_response("ListObjectVersions", listed, listed.body)
        assert len(found.get("Versions") or []) == {"put": 2, "delete": 0, "upload": 1}[kind]
        assert len(found.get("DeleteMarkers") or []) == (kind == "delete")


async def test_a_request_that_did_not_arrive_is_sent_again(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        it.remote.before = once(RemoteUnreachable(GONE), "PutObject")
        it.engine.start()
        await it.drained()
        assert await it.remote.stored("k") == b"body"
        assert it.remote.names("HeadObject") == ["k"]


async def test_other_metadata_is_another_object(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await it.remote.inner(put_request("k", b"body", {"x-amz-meta-a": "old"}))
        await it.queue.put("k", x_amz_meta_a="new")
        it.remote.before = once(RemoteUnreachable(GONE), "PutObject")
        it.engine.start()
        await it.drained()
        head = await it.remote.inner(codec.build_request("HeadObject", {"Bucket": BUCKET, "Key": "k"}))
        assert head.headers["x-amz-meta-a"] == "new"


@pytest.mark.parametrize("code", ["SlowDown", "InternalError", "SignatureDoesNotMatch", "RequestTimeTooSkewed"])
async def test_what_may_pass_is_put_off(tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.05)
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        it.remote.before = once(error(code), "PutObject")
        it.engine.start()
        await it.drained()
        assert await it.remote.stored("k") == b"body"


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "EntityTooLarge", "InvalidTag", "NotImplemented"])
async def test_what_is_refused_for_good_fails_and_is_kept(tmp_path: Path, code: str) -> None:
    async with running(tmp_path, start=False) as it:
        operation = await it.queue.put("k")
        await it.queue.put("other")
        it.remote.before = once(error(code), "PutObject")
        it.engine.start()
        await it.drained()
        failed = it.queue.journal.find(operation.seq)
        assert failed is not None
        assert failed.state == "failed"
        assert (failed.last_error() or {})["code"] == code
        assert await it.remote.stored("other") == b"body"
        with pytest.raises(S3Error, match=f"failed \\({code}\\)"):
            await it.engine.flush_key(BUCKET, b"k", 5)
        assert await it.queue.journal.retry(failed)
        await it.drained()
        assert await it.remote.stored("k") == b"body"


@pytest.mark.parametrize("size", ["row", "file"])
async def test_what_the_disk_has_damaged_is_never_sent(tmp_path: Path, size: str) -> None:
    async with running(tmp_path, start=False) as it:
        operation = await it.queue.put("k", LARGE if size == "file" else b"body")
        if size == "file":
            (file,) = (tmp_path / "bodies").glob("*/*")
            file.write_bytes(LARGE[:-1] + b"x")
        else:
            await it.queue.store.database.change(lambda c: c.execute("UPDATE body SET data = x'00'") and None)
        it.engine.start()
        await it.drained()
        assert it.remote.names("PutObject") == []
        failed = it.queue.journal.find(operation.seq)
        assert failed is not None
        assert (failed.state, (failed.last_error() or {})["code"]) == ("failed", "LocalDamage")


async def test_a_remote_that_stores_something_else_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.05)
    wrong = [True]

    def corrupt(request: S3Request) -> None:
        if request.operation == "PutObject" and wrong:
            wrong.pop()
            request.body = b"something else"
            del request.headers["Content-MD5"]

    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        it.remote.before = corrupt
        it.engine.start()
        await it.drained()
        assert await it.remote.stored("k") == b"body"
        assert len(it.remote.names("PutObject")) == 2


async def upload(queue: Opened, key: str) -> None:
    """A completed upload of three parts."""
    begun = await queue.do("CreateMultipartUpload", {"Key": key}, x_amz_meta_m="1")
    assert isinstance(begun.body, bytes)
    upload_id = codec.parse_response("CreateMultipartUpload", begun, begun.body)["UploadId"]
    parts = []
    for number in (1, 2, 3):
        body = b"%d" % number * ((5 << 20) if number < 3 else 7)
        answer = await queue.do("UploadPart", {"Key": key, "UploadId": upload_id, "PartNumber": number}, body)
        parts.append({"PartNumber": number, "ETag": answer.headers["ETag"]})
    await queue.do("CompleteMultipartUpload", {"Key": key, "UploadId": upload_id, "MultipartUpload": {"Parts": parts}})


async def test_an_upload_goes_on_behind_the_parts_that_arrived(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        it.remote.before = once(RemoteUnreachable(GONE), "CompleteMultipartUpload")
        it.engine.start()
        await it.drained()
        assert len(it.remote.names("CreateMultipartUpload")) == 1
        assert len(it.remote.names("UploadPart")) == 3
        head = await it.remote.inner(codec.build_request("HeadObject", {"Bucket": BUCKET, "Key": "k"}))
        assert head.headers["ETag"].endswith('-3"')
        assert head.headers["x-amz-meta-m"] == "1"
        assert head.headers["Content-Length"] == str((10 << 20) + 7)


async def test_an_upload_that_the_remote_forgot_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.05)
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        it.remote.before = once(error("NoSuchUpload"), "CompleteMultipartUpload")
        it.engine.start()
        await it.drained()
        assert len(it.remote.names("CreateMultipartUpload")) == 2
        assert await it.remote.stored("k") is not None


async def test_tags_that_come_while_it_is_sent_come_after_it(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        it.remote.turn = asyncio.Event()
        it.engine.start()
        await it.sending()
        await it.queue.do("PutObjectTagging", {"Key": "k", "Tagging": {"TagSet": [{"Key": "t", "Value": "v"}]}})
        it.remote.turn.set()
        await it.drained()
        response = await it.remote.inner(codec.build_request("GetObjectTagging", {"Bucket": BUCKET, "Key": "k"}))
        assert isinstance(response.body, bytes)
        assert codec.parse_response("GetObjectTagging", response, response.body)["TagSet"] == [
            {"Key": "t", "Value": "v"}
        ]


async def test_a_remote_that_is_overloaded_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.05)
    monkeypatch.setattr("s3d.write_queue.rest._FIRST", 3600.0)
    async with running(tmp_path, workers=2, start=False) as it:
        for number in range(200):
            await it.queue.put(f"k{number:03}")

        def overloaded(request: S3Request) -> None:
            raise error("SlowDown")

        it.remote.before = overloaded
        it.engine.start()
        assert await it.engine.flush(0.5) == 200
        assert len(it.remote.names("PutObject")) <= 2
        it.remote.before = lambda request: None
        it.engine._rest._until = 0.0
        it.engine.wake()
        await it.drained()
        assert it.remote.most == 2


async def test_one_operation_that_is_always_refused_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.01)
    monkeypatch.setattr("s3d.write_queue.rest._FIRST", 3600.0)
    async with running(tmp_path, workers=2, start=False) as it:

        def broken(request: S3Request) -> None:
            if request.key == "a":
                raise error("InternalError")

        it.remote.before = broken
        await it.queue.put("a")
        it.engine.start()
        async with asyncio.timeout(15):
            while len(it.remote.seen) < 20:
                await asyncio.sleep(0.01)
        for number in range(50):
            await it.queue.put(f"k{number:03}")
        it.engine.wake()
        async with asyncio.timeout(15):
            while it.queue.journal.waiting() > 1:
                await asyncio.sleep(0.01)


async def test_the_remote_says_when_to_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.01)
    async with running(tmp_path, start=False) as it:
        it.remote.before = once(S3Error("SlowDown", headers={"Retry-After": "100"}), "PutObject")
        operation = await it.queue.put("k")
        it.engine.start()
        async with asyncio.timeout(15):
            while (found := it.queue.journal.find(operation.seq)) is None or not found.next_attempt:
                await asyncio.sleep(0.01)
        assert 95 < found.next_attempt - time.time() <= 100


async def test_paused(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        it.engine.pause()
        await it.queue.put("k")
        assert await it.engine.flush(0.1) == 1
        with pytest.raises(RemoteUnreachable, match="paused"):
            await it.engine.flush_key(BUCKET, b"k", 5)
        assert it.remote.seen == []
        it.engine.resume()
        await it.drained()


async def test_a_key_that_somebody_waits_for_goes_first(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1, start=False) as it:
        for number in range(100):
            await it.queue.put(f"k{number:02}")
        waiting = asyncio.get_running_loop().create_task(it.engine.flush_key(BUCKET, b"k99", 15))
        await asyncio.sleep(0)
        it.engine.start()
        await waiting
        assert it.remote.names("PutObject")[0] == "k99"
        await it.drained()


async def test_a_defect_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr("s3d.write_queue.engine._AFTER_DEFECT", 0.05)
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        it.remote.before = once(ZeroDivisionError(), "PutObject")
        it.engine.start()
        await it.drained()
        assert await it.remote.stored("k") == b"body"
    assert "met a defect" in caplog.text
    caplog.clear()


async def test_stopped_in_the_middle_it_looks_first_the_next_time(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        it.remote.turn = asyncio.Event()
        it.engine.start()
        await it.sending()
        assert await it.engine.stop(0.05) == 1
        assert it.queue.states() == [("k", "put", "pushing")]


async def test_no_faster_than_wished(tmp_path: Path) -> None:
    async with running(tmp_path, start=False, limit=lambda: 2_000_000.0) as it:
        for number in range(3):
            await it.queue.put(f"k{number}", LARGE)
        begun = asyncio.get_running_loop().time()
        it.engine.start()
        await it.drained()
        assert asyncio.get_running_loop().time() - begun >= 0.2  # the third waits for the first two


def put_request(key: str, body: bytes, headers: dict[str, str]) -> S3Request:
    request = codec.build_request("PutObject", {"Bucket": BUCKET, "Key": key})
    request.body = body
    request.headers.extend(headers)
    return request
