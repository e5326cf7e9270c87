"""Multipart uploads that go wrong on their way: what is sent again, what is begun anew, what is left at the remote."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.write_queue.pushing import LOST, answer, current, refused, until, versions
from unit.write_queue.test_engine import running, upload

from s3d.s3.message import S3Request


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put off waits for no time that a test would notice."""
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.05)


@pytest.mark.usefixtures("soon")
async def test_only_the_parts_that_are_missing_are_sent(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        second = [LOST]

        def fault(request: S3Request) -> None:
            if request.operation == "UploadPart" and request.parameter("partNumber") == "2" and second:
                raise second.pop()

        it.remote.before = fault
        it.engine.start()
        await it.drained()
        numbers = [r.parameter("partNumber") for r in it.remote.seen if r.operation == "UploadPart"]
        assert numbers.count("2") == 2
        assert len(it.remote.names("CreateMultipartUpload")) == 1
        stored = await it.remote.stored("k")
        assert stored is not None
        assert len(stored) == (10 << 20) + 7


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("code", ["NoSuchUpload", "InvalidPart"])
async def test_an_upload_without_its_parts_is_begun_anew(tmp_path: Path, code: str) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        answer(it, "CompleteMultipartUpload", refused(code))
        it.engine.start()
        await it.drained()
        assert len(it.remote.names("CreateMultipartUpload")) == 2
        await until(lambda: it.remote.names("AbortMultipartUpload") == ["k"])
        assert await it.remote.stored("k") is not None


async def test_what_is_refused_for_good_leaves_nothing_at_the_remote(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        operation = it.queue.newest()
        answer(it, "CompleteMultipartUpload", refused("AccessDenied"))
        it.engine.start()
        await it.drained()
        await until(lambda: it.remote.names("AbortMultipartUpload"))
        failed = current(it, operation)
        assert (failed.state, failed.remote_upload, it.queue.journal.pushed_parts(failed)) == ("failed", None, {})
        assert await it.queue.journal.retry(failed)
        it.engine.wake()
        await it.drained()
        assert await it.remote.stored("k") is not None


async def test_what_is_dropped_while_it_is_sent_leaves_nothing_at_the_remote(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        operation = it.queue.newest()
        it.engine.start()
        await until(lambda: current(it, operation).remote_upload)
        await it.queue.journal.drop(current(it, operation))
        answer(it, "CompleteMultipartUpload", refused("NoSuchKey"))
        await until(lambda: it.remote.names("AbortMultipartUpload"))
        assert await it.remote.stored("k") is None


@pytest.mark.usefixtures("soon")
async def test_a_damaged_part_is_never_sent(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        operation = it.queue.newest()
        damaged = next(path for path in (tmp_path / "bodies").glob("*/*") if path.read_bytes()[:1] == b"2")
        damaged.write_bytes(b"3" * (5 << 20))
        it.engine.start()
        await it.drained()
        failed = current(it, operation)
        assert (failed.state, (failed.last_error() or {})["code"]) == ("failed", "LocalDamage")
        sent = [r.parameter("partNumber") for r in it.remote.seen if r.operation == "UploadPart"]
        assert "2" not in sent
        assert it.remote.names("CompleteMultipartUpload") == []
        await until(lambda: it.remote.names("AbortMultipartUpload"))


@pytest.mark.usefixtures("soon")
async def test_an_error_in_a_success_is_looked_for(tmp_path: Path) -> None:
    """CompleteMultipartUpload says 200 before it knows."""
    async with running(tmp_path, versioning="Enabled", start=False) as it:
        await upload(it.queue, "k")
        failed = refused("InternalError")
        failed.status = 200
        answer(it, "CompleteMultipartUpload", failed)
        it.engine.start()
        await it.drained()
        assert it.remote.names("HeadObject") == ["k"]
        assert await versions(it) == 1
