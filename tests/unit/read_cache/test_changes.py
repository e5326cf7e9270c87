"""Changes through the daemon, and what they do to what is known."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Refused, call
from unit.read_cache.caching import BUCKET, LARGE, Reticent, away, caching, request, well
from unit.read_cache.test_reads import refusal

from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response

AT = {"Bucket": BUCKET, "Key": "k"}
TAGS = {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}


@pytest.mark.parametrize("body", [b"", b"small", LARGE])
async def test_what_is_put_is_read(tmp_path: Path, body: bytes) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        await it.get("k")
        await call(it.cache, "PutObject", AT | {"ContentType": "a/b", "Metadata": {"m": "1"}}, body)
        found = await it.get("k")
        assert (found.said, found.body) == ("REVALIDATED", body)
        assert (found.response.headers["Content-Type"], found.response.headers["x-amz-meta-m"]) == ("a/b", "1")
        assert it.asked("GetObject") == [("GetObject", None)]  # the first; what was put is not fetched
        assert (await it.get("k")).said == "HIT"


async def test_what_was_put_is_there_while_the_remote_is_away(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await call(it.cache, "PutObject", AT | {"ContentType": "a/b"}, LARGE)
        it.remote.before = away()
        found = await it.get("k")
        assert (found.said, found.body, found.response.headers["Content-Type"]) == ("STALE", LARGE, "a/b")


async def test_what_others_put_in_between_is_not_mistaken(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await call(it.cache, "PutObject", AT, LARGE)
        await it.put("k", LARGE[::-1])
        assert (await it.get("k")).body == LARGE[::-1]


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("DeleteObject", AT),
        ("DeleteObjects", {"Bucket": BUCKET, "Delete": {"Objects": [{"Key": "k"}]}}),
    ],
)
async def test_what_is_deleted_is_gone(tmp_path: Path, operation: str, members: dict[str, Any]) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")
        await call(it.cache, operation, members)
        assert await refusal(it.get("k")) == 404
        it.remote.before = away()
        assert await refusal(it.get("k")) == 404  # known a moment ago
        await it.written_down()
        await asyncio.sleep(0.05)
        assert it.files() == []


async def test_tags_and_copies(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"one")
        await it.put("other", b"two")
        await it.get("k")
        await call(it.cache, "PutObjectTagging", AT | TAGS)
        assert (await it.get("k")).response.headers["x-amz-tagging-count"] == "1"
        await call(it.cache, "CopyObject", AT | {"CopySource": f"{BUCKET}/other"})
        assert (await it.get("k")).body == b"two"


COUNT = "x-amz-tagging-count"


@pytest.mark.parametrize("body", [b"", b"small", LARGE])
async def test_new_tags_fetch_nothing(tmp_path: Path, body: bytes) -> None:
    """And of an answer that was lost nobody knows which tags there are."""
    async with caching(tmp_path, inner=Reticent(), tags=True) as it:
        await it.put("k", body)
        assert COUNT not in (await it.get("k")).response.headers
        fetched = len(it.asked("GetObject"))
        await call(it.cache, "PutObjectTagging", AT | TAGS)
        found = await it.get("k")
        assert (found.said, found.body, found.response.headers[COUNT]) == ("REVALIDATED", body, "1")
        it.remote.after = away("DeleteObjectTagging")
        with pytest.raises(RemoteUnreachable):
            await call(it.cache, "DeleteObjectTagging", AT)
        found = await it.get("k")
        assert (found.said, found.body, found.response.headers.get(COUNT)) == ("REVALIDATED", body, None)
        assert it.asked("GetObject")[fetched:] == [("GetObject", "bytes=0-0" if body else None)] * 2
        assert (await it.get("k")).said == "HIT"


@pytest.mark.parametrize("restart", [False, True])
async def test_new_tags_while_the_remote_is_away(tmp_path: Path, *, restart: bool) -> None:
    """What was acknowledged is never taken back."""
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")
        await call(it.cache, "PutObjectTagging", AT | TAGS)
        it.remote.before = away()
        if restart:
            shutil.copytree(tmp_path, tmp_path / "killed")
        else:
            found = await it.get("k")
    if restart:
        async with caching(tmp_path / "killed", it.remote) as again:
            found = await again.get("k")
    assert (found.said, found.body, found.response.headers[COUNT]) == ("STALE", LARGE, "1")


async def test_new_tags_overtake_a_question(tmp_path: Path) -> None:
    """Its answer is of the time before them, and comes after them."""
    async with caching(tmp_path, max_age=0) as it:
        await it.put("k", LARGE, Tagging="x=1&y=2")
        for _ in range(2):  # the remote says to HEAD how many tags there are
            await it.get("k")
        inner, go_on = it.remote.inner, asyncio.Event()

        async def slow(request: S3Request) -> S3Response:
            response = await inner(request)
            if request.operation == "HeadObject":
                await go_on.wait()
            return response

        it.remote.inner = slow  # type: ignore[assignment]
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(it.get("k"))
            await asyncio.sleep(0.05)
            await call(it.cache, "PutObjectTagging", AT | TAGS)
            go_on.set()
        assert reading.result().body == LARGE
        it.remote.before = away()
        found = await it.get("k")
        assert (found.said, found.body, found.response.headers[COUNT]) == ("STALE", LARGE, "1")


async def test_tags_while_it_is_replaced(tmp_path: Path) -> None:
    """Nobody knows whose they are."""
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")
        it.remote.turn = asyncio.Event()
        it.remote.before = away("PutObject")
        async with asyncio.TaskGroup() as tasks:
            put = tasks.create_task(refusal(call(it.cache, "PutObject", AT, b"new")))
            tasks.create_task(call(it.cache, "PutObjectTagging", AT | TAGS))
            await asyncio.sleep(0.05)
            it.remote.turn.set()
        assert put.result() == 503
        it.remote.before = away()
        with pytest.raises(RemoteUnreachable):
            await it.get("k")


@pytest.mark.parametrize("restart", [False, True])
async def test_the_same_bytes_and_a_lost_answer(tmp_path: Path, *, restart: bool) -> None:
    async with caching(tmp_path, inner=Reticent()) as it:
        await it.put("k", LARGE, Tagging="x=1", Metadata={"n": "1"})
        await it.get("k")
        it.remote.after = away("PutObject")
        with pytest.raises(RemoteUnreachable):
            await call(it.cache, "PutObject", AT | {"Tagging": "x=1&y=2&z=3", "Metadata": {"n": "2"}}, LARGE)
        if not restart:
            found = await it.get("k")
    if restart:
        async with caching(tmp_path, it.remote) as again:
            found = await again.get("k")
    assert (found.said, found.body) == ("REVALIDATED", LARGE)
    assert (found.response.headers[COUNT], found.response.headers["x-amz-meta-n"]) == ("3", "2")


async def test_a_remote_that_counts_tags_is_not_asked_for_them(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE, Tagging="x=1&y=2")
        await it.get("k")
        for tags in (["a"], []):
            await call(
                it.cache, "PutObjectTagging", AT | {"Tagging": {"TagSet": [{"Key": k, "Value": ""} for k in tags]}}
            )
            found = await it.get("k")
            assert (found.said, found.response.headers.get(COUNT, "0")) == ("REVALIDATED", str(len(tags)))
        assert it.asked("GetObject") == [("GetObject", None)]


async def test_it_is_replaced_while_its_tags_are_asked_for(tmp_path: Path) -> None:
    async with caching(tmp_path, inner=Reticent()) as it:
        await it.put("k", LARGE)
        await it.get("k")
        await call(it.cache, "PutObjectTagging", AT | TAGS)
        new = LARGE[::-1]

        def replace(request: S3Request) -> None:
            if request.operation == "HeadObject":
                it.remote.after = well
                with pytest.raises(StopIteration):  # the model waits for nothing
                    call(it.remote.inner, "PutObject", AT, new).send(None)

        it.remote.after = replace
        found = await it.get("k")
        assert (found.status, found.body) == (200, new)
        assert COUNT not in found.response.headers


async def test_the_link_breaks_while_its_tags_are_asked_for(tmp_path: Path) -> None:
    async with caching(tmp_path, inner=Reticent()) as it:
        await it.put("k", LARGE)
        await it.get("k")
        await call(it.cache, "PutObjectTagging", AT | TAGS)
        it.remote.before = away("GetObject")
        found = await it.get("k")
        assert (found.said, found.body) == ("STALE", LARGE)


async def test_tags_of_what_is_put(tmp_path: Path) -> None:
    """Are known, without another question."""
    async with caching(tmp_path) as it:
        await call(it.cache, "PutObject", AT | {"Tagging": "a=1&b=2"}, LARGE)
        found = await it.get("k")
        assert (found.body, found.response.headers[COUNT]) == (LARGE, "2")
        assert it.asked("GetObject") == []


async def test_an_absence_ends_with_a_put(tmp_path: Path) -> None:
    async with caching(tmp_path, negative_age=3600) as it:
        assert await refusal(it.get("k")) == 404
        await call(it.cache, "PutObject", AT, b"body")
        assert (await it.get("k")).body == b"body"


async def test_an_upload(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        await it.get("k")
        upload = AT | {"UploadId": (await call(it.cache, "CreateMultipartUpload", AT))["UploadId"]}
        part = await call(it.cache, "UploadPart", upload | {"PartNumber": 1}, b"new")
        assert (await it.get("k")).said == "HIT"
        parts = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
        await call(it.cache, "CompleteMultipartUpload", upload | parts)
        assert (await it.get("k")).body == b"new"


async def test_a_change_that_failed_is_asked_for(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        await it.get("k")

        def lost(request: S3Request) -> None:
            if request.operation == "PutObject":
                raise RemoteUnreachable("the answer was lost")

        it.remote.after = lost
        with pytest.raises(RemoteUnreachable):
            await call(it.cache, "PutObject", AT, b"new")
        it.remote.after = well
        assert (await it.get("k")).body == b"new"


async def test_a_refused_change_leaves_what_is_here(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")

        def refuse(request: S3Request) -> None:
            if request.operation == "PutObject":
                raise S3Error("AccessDenied")

        it.remote.before = refuse
        with pytest.raises(Refused, match="AccessDenied"):
            await call(it.cache, "PutObject", AT, b"new")
        found = await it.get("k")
        assert (found.said, found.body) == ("REVALIDATED", LARGE)


async def test_what_was_asked_before_a_change_ended_does_not_count(tmp_path: Path) -> None:
    """A read that began before the put sees the old object, and its answer comes after that of the put."""
    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        go = asyncio.Event()
        send = it.remote.inner

        class Late:
            async def __call__(self, request: S3Request) -> Any:
                response = await send(request)
                if request.operation == "GetObject":
                    await go.wait()
                return response

        it.remote.inner = Late()  # type: ignore[assignment]  # a Backend is enough
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(it.get("k"))
            await asyncio.sleep(0.02)
            await call(it.cache, "PutObject", AT, b"new")
            go.set()
        assert reader.result().body in (b"old", b"new")
        assert (await it.get("k")).body == b"new"
        assert (await it.get("k")).body == b"new"


async def test_of_two_puts_at_once_the_remote_decides(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        for _ in range(5):
            async with asyncio.TaskGroup() as tasks:
                for body in (b"one", b"two", b"three"):
                    tasks.create_task(call(it.cache, "PutObject", AT, body))
            there = (await call(it.remote.inner, "GetObject", AT))["Body"]
            assert (await it.get("k")).body == there


@pytest.mark.parametrize("operation", ["DeleteBucket", "PutBucketVersioning", "Unknown"])
async def test_a_change_of_the_bucket_asks_for_all_of_it(tmp_path: Path, operation: str) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"body")
        await it.get("k")
        changing = S3Request("PUT", operation, BUCKET)
        await it.cache(changing)
        assert (await it.get("k")).said == "REVALIDATED"
        await it.cache(changing)
    async with caching(tmp_path, it.remote) as it:
        assert (await it.get("k")).said == "REVALIDATED"
        assert (await it.get("k")).said == "HIT"


@pytest.mark.parametrize("operation", ["GetObjectTagging", "ListObjectsV2", "UploadPart", "CreateMultipartUpload"])
async def test_what_changes_no_object_changes_nothing(tmp_path: Path, operation: str) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"body")
        await it.get("k")
        other = request("GetObject", "k")
        other.operation = operation
        if operation.startswith(("Upload", "Create")):
            other.method = "PUT"
        await it.cache(other)
        assert (await it.get("k")).said == "HIT"


async def test_a_start_after_a_change_that_was_cut_off(tmp_path: Path) -> None:
    """The process ended while a put was on its way: what is here is asked for."""
    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        await it.get("k")
        await it.written_down()
        await it.cache._filling.unconfirm([(BUCKET, b"k")])
        it.cache._filling._entries.clear()
        await it.put("k", b"new")
        assert (await it.get("k")).body == b"new"


async def test_a_disk_that_fails_turns_the_cache_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Reads and changes go on; what was here is not used again."""
    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        await it.get("k")
        await it.written_down()

        async def full(*_: object) -> None:
            raise S3Error("SlowDown", "no room on the disk")

        it.cache._filling._index.unconfirm = full  # type: ignore[method-assign]
        await call(it.cache, "PutObject", AT, b"new")
        response = await it.cache(request("GetObject", "k"))
        assert (response.body, "x-s3d-cache" in response.headers) == (b"new", False)
        assert it.cache.document()["off"] is True
        assert "off until the next start" in caplog.text
    async with caching(tmp_path, it.remote) as again:
        found = await again.get("k")
        assert (found.said, found.body) == ("MISS", b"new")


async def test_what_only_has_a_row_is_not_counted_any_more(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")
        await it.written_down()
    async with caching(tmp_path, it.remote) as it:
        await call(it.cache, "DeleteObject", {"Bucket": BUCKET, "Key": "k"})
        assert (it.cache.document()["bytes"], it.cache.document()["files"]) == (0, 0)
