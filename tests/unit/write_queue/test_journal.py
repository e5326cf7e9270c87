"""The journal: what is accepted, in which order it can be pushed, and what each outcome leaves."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from unit.write_queue.opened import BUCKET, opened

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.write_queue.operation import SMALL, Abandoned, Pushed

ERROR = {"code": "NoSuchBucket", "message": "gone", "status": 404, "at": 1.0}
LARGE = b"l" * 100_000


async def test_an_accepted_put(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        operation = await queue.put("k", b"abc", Content_Type="text/plain", x_amz_meta_a="1", x_amz_tagging="t=v")
        assert (operation.bucket, operation.key, operation.kind, operation.state) == (BUCKET, b"k", "put", "pending")
        assert (operation.size, operation.attempts, operation.next_attempt, operation.error) == (3, 0, 0, None)
        assert abs(operation.accepted - time.time()) < 60
        assert operation.header_list() == [("Content-Type", "text/plain"), ("x-amz-meta-a", "1")]
        version = queue.journal.version(operation)
        assert version is not None
        assert (version.etag, version.tag_set()) == (hashlib.md5(b"abc").hexdigest(), {"t": "v"})
        assert [segment.data for segment in queue.journal.segments(version)] == [b"abc"]
        assert queue.journal.digests(version) == [hashlib.md5(b"abc").digest()]


async def test_operations_survive_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        first, second = await queue.put("a"), await queue.put("b", LARGE)
        await queue.journal.begin(second)
    async with opened(tmp_path) as queue:
        assert queue.states() == [("a", "put", "pending"), ("b", "put", "pushing")]
        assert [o.seq for o in queue.journal.runnable(time.time(), 9)] == [first.seq, second.seq]
        assert queue.journal.usage() == (len(b"body") + len(LARGE), 2)


async def test_of_each_key_only_the_oldest_can_be_pushed(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        one = await queue.put("a", b"1")
        await queue.put("a", b"2")
        other = await queue.put("b")
        assert [o.seq for o in queue.journal.runnable(time.time(), 9)] == [one.seq, other.seq]
        assert await queue.journal.begin(one)
        assert [o.seq for o in queue.journal.runnable(time.time(), 9)] == [one.seq, other.seq]
        await queue.journal.done(one, Pushed())
        assert [o.seq for o in queue.journal.runnable(time.time(), 9)] == [one.seq + 1, other.seq]
        assert [o.seq for o in queue.journal.runnable(time.time(), 1)] == [one.seq + 1]


async def test_those_that_wait_for_their_time_keep_their_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        one = await queue.put("a", b"1")
        await queue.put("a", b"2")
        assert await queue.journal.begin(one)
        await queue.journal.put_off(one, ERROR, 5000.0, ambiguous=False)
        assert queue.journal.runnable(4999, 9) == []
        assert [o.seq for o in queue.journal.runnable(5000, 9)] == [one.seq]
        assert queue.journal.next_attempt() == 5000.0
        found = queue.journal.find(one.seq)
        assert found is not None
        assert (found.state, found.attempts, found.last_error()) == ("pending", 1, ERROR)


async def test_what_may_be_at_the_remote_stays_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        one = await queue.put("a")
        assert await queue.journal.begin(one)
        await queue.journal.put_off(one, ERROR, 1.0, ambiguous=True)
        assert queue.states() == [("a", "put", "pushing")]


async def test_small_and_large(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        small, large = await queue.put("s"), await queue.put("l", b"x" * (SMALL + 1))
        runnable = queue.journal.runnable
        assert [o.seq for o in runnable(time.time(), 9, small=True)] == [small.seq]
        assert [o.seq for o in runnable(time.time(), 9, small=False)] == [large.seq]


@pytest.mark.parametrize("versioning", [None, "Enabled", "Suspended"])
async def test_where_there_may_be_versions_every_operation_is_pushed(tmp_path: Path, versioning: str | None) -> None:
    async with opened(tmp_path, versioning=versioning) as queue:
        await queue.put("a", b"1")
        await queue.put("a", b"2")
        await queue.do("DeleteObject", {"Key": "a"})
        assert [kind for _, kind, _ in queue.states()] == ["put", "put", "delete"]


async def test_in_a_bucket_without_versions_what_was_not_begun_is_replaced(tmp_path: Path) -> None:
    async with opened(tmp_path, versioning="") as queue:
        await queue.put("a", b"1")
        await queue.put("a", b"22")
        assert queue.states() == [("a", "put", "pending")]
        assert queue.journal.usage() == (2, 1)
        assert queue.observer.superseded == 1
        await queue.do("DeleteObject", {"Key": "a"})
        assert queue.states() == [("a", "delete", "pending")]
        assert queue.journal.usage() == (0, 0)
        with pytest.raises(S3Error, match="NoSuchKey"):
            await queue.do("GetObject", {"Key": "a"})


async def test_what_was_begun_is_not_replaced(tmp_path: Path) -> None:
    async with opened(tmp_path, versioning="") as queue:
        one = await queue.put("a", b"1")
        assert await queue.journal.begin(one)
        await queue.put("a", b"2")
        await queue.put("a", b"3")
        assert [(kind, state) for _, kind, state in queue.states()] == [("put", "pushing"), ("put", "pending")]
        await queue.journal.done(one, Pushed())
        assert (await queue.do("GetObject", {"Key": "a"})).body == b"3"


async def test_done_takes_the_bytes_and_writes_the_ledger(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        one = await queue.put("a", LARGE)
        assert await queue.journal.begin(one)
        await queue.journal.done(one, Pushed("v1", "etag", "CRC32:AAAA"))
        assert queue.states() == []
        assert queue.journal.usage() == (0, 0)
        assert len(queue.left) == 1
        assert queue.journal.content(BUCKET, b"a") is None
        row = queue.store.reader.execute("SELECT seq, key, size, etag, checksum, version_id FROM ledger").fetchone()
        assert row == (one.seq, b"a", len(LARGE), "etag", "CRC32:AAAA", "v1")


async def test_failed_ones_are_seen_and_block_their_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        one = await queue.put("a", b"1")
        await queue.journal.fail(one, ERROR)
        await queue.do("PutObjectTagging", {"Key": "a", "Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}})
        assert queue.states() == [("a", "put", "failed")]
        assert queue.journal.runnable(time.time(), 9) == []
        content = queue.journal.content(BUCKET, b"a")
        assert content is not None
        assert content.seq == one.seq
        assert await queue.journal.retry(content)
        assert not await queue.journal.retry(content)
        assert [o.seq for o in queue.journal.runnable(time.time(), 9)] == [one.seq]


@pytest.mark.parametrize("first", ["fail", "replace"])
async def test_a_later_change_takes_the_place_of_a_failed_one(tmp_path: Path, first: str) -> None:
    async with opened(tmp_path) as queue:
        one = await queue.put("a", b"1")
        if first == "replace":
            await queue.journal.begin(one)
            two = await queue.put("a", b"2")
            await queue.journal.fail(one, ERROR)
        else:
            await queue.journal.fail(one, ERROR)
            two = await queue.put("a", b"2")
        assert [o.seq for o in queue.journal.runnable(time.time(), 9)] == [two.seq]
        failed = queue.journal.find(one.seq)
        assert failed is not None
        assert failed.superseded
        assert not await queue.journal.retry(failed)
        await queue.journal.done(two, Pushed())
        assert queue.journal.content(BUCKET, b"a") is None  # the remote's is newer
        assert queue.journal.usage() == (1, 1)
        assert await queue.journal.drop(failed)
        assert queue.journal.usage() == (0, 0)
        assert not await queue.journal.drop(failed)


async def test_what_is_dropped_lets_the_one_before_it_be_seen(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        await queue.put("a", b"1")
        two = await queue.put("a", b"2")
        await queue.journal.drop(two)
        assert (await queue.do("GetObject", {"Key": "a"})).body == b"1"
        await queue.do("DeleteObject", {"Key": "a"})
        await queue.journal.drop(queue.newest())
        assert (await queue.do("GetObject", {"Key": "a"})).body == b"1"


async def test_tags_of_what_was_not_sent_go_with_it(tmp_path: Path) -> None:
    tagging = {"Key": "a", "Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}
    async with opened(tmp_path) as queue:
        one = await queue.put("a")
        await queue.do("PutObjectTagging", tagging)
        assert queue.states() == [("a", "put", "pending")]
        version = queue.journal.version(one)
        assert version is not None
        assert version.tag_set() == {"k": "v"}


async def test_tags_of_what_may_be_sent_come_after_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        one = await queue.put("a")
        await queue.journal.begin(one)
        for value in ("v", "w"):
            await queue.do("PutObjectTagging", {"Key": "a", "Tagging": {"TagSet": [{"Key": "k", "Value": value}]}})
        assert queue.states() == [("a", "put", "pushing"), ("a", "tag", "pending")]
        await queue.journal.done(one, Pushed())
        tag = queue.journal.tags(BUCKET, b"a")
        assert tag is not None
        assert tag.tag_set() == {"k": "w"}
        assert [o.seq for o in queue.journal.runnable(time.time(), 9)] == [tag.seq]


async def test_what_has_begun_again_is_not_taken_back(tmp_path: Path) -> None:
    """It may be on its way by then."""
    async with opened(tmp_path) as queue:
        one = await queue.put("a")
        await queue.journal.begin(one)
        queue.journal.not_sent(one)
        again = queue.newest()
        assert await queue.journal.begin(again)
        await queue.store.database.flush()
        assert queue.states() == [("a", "put", "pushing")]
        queue.journal.not_sent(again)
        await queue.store.database.flush()
        assert queue.states() == [("a", "put", "pushing")]


async def test_an_upload(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        begun = await queue.do(
            "CreateMultipartUpload", {"Key": "a"}, x_amz_meta_m="1", x_amz_checksum_algorithm="CRC32"
        )
        assert isinstance(begun.body, bytes)
        upload_id = codec.parse_response("CreateMultipartUpload", begun, begun.body)["UploadId"]
        parts: list[dict[str, Any]] = []
        for number, body in ((1, b"1" * (5 << 20)), (2, b"2")):
            part = {"Key": "a", "UploadId": upload_id, "PartNumber": number}
            answer = await queue.do("UploadPart", part, body, x_amz_sdk_checksum_algorithm="CRC32")
            parts.append({"PartNumber": number, "ETag": answer.headers["ETag"]})
            parts[-1]["ChecksumCRC32"] = answer.headers["x-amz-checksum-crc32"]
        assert queue.states() == []
        document = {"Key": "a", "UploadId": upload_id, "MultipartUpload": {"Parts": parts}}
        await queue.do("CompleteMultipartUpload", document)
        operation = queue.newest()
        assert (operation.kind, operation.size) == ("upload", (5 << 20) + 1)
        headers = dict(operation.header_list())
        assert headers == {"x-amz-meta-m": "1", "x-amz-checksum-algorithm": "CRC32"}
        version = queue.journal.version(operation)
        assert version is not None
        assert [(p.number, p.size) for p in queue.journal.parts(version)] == [(1, 5 << 20), (2, 1)]
        assert len(queue.journal.digests(version)) == 2
        await queue.journal.upload_begun(operation, "remote-id")
        await queue.journal.part_pushed(operation, 1, '"e"')
        found = queue.journal.find(operation.seq)
        assert found is not None
        assert (found.remote_upload, queue.journal.pushed_parts(found)) == ("remote-id", {1: '"e"'})
        await queue.journal.forget_upload(operation)
        assert queue.journal.pushed_parts(found) == {}
        assert queue.journal.abandoned(9) == [Abandoned(BUCKET, b"a", "remote-id")]
        await queue.journal.aborted(Abandoned(BUCKET, b"a", "remote-id"))
        await queue.journal.upload_begun(operation, "another")
        await queue.journal.done(operation, Pushed(upload_id="another"))
        assert queue.journal.abandoned(9) == []
        assert queue.journal.usage() == (0, 0)
        assert queue.store.reader.execute("SELECT count(*) FROM upload_request").fetchone() == (0,)


async def test_a_copy_takes_its_headers_from_the_source(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        await queue.put("a", Content_Type="text/x", x_amz_meta_m="1")
        await queue.do("CopyObject", {"Key": "b", "CopySource": f"{BUCKET}/a"}, x_amz_storage_class="GLACIER")
        headers = dict(queue.newest().header_list())
        assert headers == {"Content-Type": "text/x", "x-amz-meta-m": "1", "x-amz-storage-class": "GLACIER"}


async def test_changes_for_lists(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        for key in ("a", "b/1", "b/2", "c"):
            await queue.put(key)
        await queue.put("b/2", b"newest")
        await queue.do("DeleteObject", {"Key": "b/1"})
        await queue.do("DeleteObject", {"Key": "d"})
        changes = queue.journal.changes

        def shown(*arguments: Any, **named: Any) -> list[tuple[bytes, int | None]]:
            found = changes(BUCKET, *arguments, **named)
            return [(change.key, change.version.size if change.version else None) for change in found]

        everything = [(b"a", 4), (b"b/1", None), (b"b/2", 6), (b"c", 4), (b"d", None)]
        assert shown(b"", b"", 99) == everything
        assert shown(b"", b"b/1", 99) == everything[2:]
        assert shown(b"", b"b/1", 99, inclusive=True) == everything[1:]
        assert shown(b"b/", b"", 99) == everything[1:3]
        assert shown(b"b/", b"", 1) == everything[1:2]
        assert shown(b"\xff", b"", 9) == []


async def test_totals_and_pages(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        one = await queue.put("a", b"12")
        await queue.put("b", b"123")
        await queue.journal.fail(one, ERROR)
        assert queue.journal.totals() == {"failed": {"count": 1, "bytes": 2}, "pending": {"count": 1, "bytes": 3}}
        assert queue.journal.waiting() == 1
        oldest = queue.journal.oldest()
        assert oldest is not None
        assert oldest >= one.accepted
        assert [o.seq for o in queue.journal.page("failed", 0, 9)] == [one.seq]
        assert [o.seq for o in queue.journal.page(None, one.seq, 9)] == [one.seq + 1]
        assert json.loads(queue.journal.page("failed", 0, 9)[0].error or "") == ERROR
