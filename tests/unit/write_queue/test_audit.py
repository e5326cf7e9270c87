"""What an audit finds at a remote that was changed by others, in pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import call
from unit.write_queue.opened import BUCKET
from unit.write_queue.pushing import LOST, bare, until
from unit.write_queue.test_engine import Running, running, upload

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue.audit import Audit, Checked, Page, Wanted
from s3d.write_queue.ledger import Ledger, Position
from s3d.write_queue.operation import Operation


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as found:
        yield found


@pytest.fixture
async def versioned(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, versioning="Enabled") as found:
        yield found


def at(key: str) -> dict[str, str]:
    return {"Bucket": BUCKET, "Key": key}


async def pushed(it: Running, *keys: str, body: bytes = b"body") -> None:
    for key in keys:
        await it.queue.put(key, body)
        it.engine.wake()
        await it.drained()


async def deleted(it: Running, key: str) -> None:
    await it.queue.do("DeleteObject", {"Key": key})
    it.engine.wake()
    await it.drained()


async def page(it: Running, **wanted: Any) -> Page:
    audit = Audit(Ledger(it.queue.store), it.queue.journal, it.remote)
    return await audit.page(Wanted(**wanted))


async def audited(it: Running, **wanted: Any) -> dict[str, Checked]:
    """What came out by key; of versions by key and version."""
    found = await page(it, **wanted)
    assert (found.next, found.away) == (None, None)
    names = [
        checked.entry.key.decode() + ("" if checked.entry.newest else f"@{checked.entry.version_id}")
        for checked in found.checked
    ]
    assert len(set(names)) == len(names)
    return dict(zip(names, found.checked, strict=True))


def statuses(found: dict[str, Checked]) -> dict[str, str]:
    return {name: checked.status for name, checked in found.items()}


async def test_what_others_did(it: Running) -> None:
    await pushed(it, "same", "gone", "changed", "deleted", "back")
    await deleted(it, "deleted")
    await deleted(it, "back")
    await call(it.remote.inner, "DeleteObject", at("gone"))
    await call(it.remote.inner, "PutObject", at("changed"), b"something else")
    await call(it.remote.inner, "PutObject", at("back"), b"x")
    found = await audited(it)
    assert statuses(found) == {
        "same": "same",
        "gone": "gone",
        "changed": "changed",
        "deleted": "deleted",
        "back": "exists",
    }
    assert found["changed"].differs == ("size", "etag", "checksum")
    there = found["changed"].found
    assert there is not None
    assert there.size == len(b"something else")
    assert found["changed"].kept is None


async def test_the_newest_counts(it: Running) -> None:
    for body in (b"1", b"2", b"3"):
        await pushed(it, "k", body=body)
    assert statuses(await audited(it)) == {"k": "same"}
    await call(it.remote.inner, "PutObject", at("k"), b"1")
    assert statuses(await audited(it)) == {"k": "changed"}


async def test_tags_are_not_compared(it: Running) -> None:
    await pushed(it, "k")
    await it.queue.store.database.change(
        lambda connection: (
            connection.execute(
                "INSERT INTO ledger VALUES (99, 'bucket', x'6b', 'tag', 0, NULL, NULL, NULL, 1, 1),"
                " (100, 'bucket', x'6c', 'tag', 0, NULL, NULL, NULL, 1, 1)"
            )
            and None
        )
    )
    assert statuses(await audited(it)) == {"k": "same"}


async def version_ids(it: Running) -> list[str]:
    """Those that were pushed, oldest first."""
    entries = Ledger(it.queue.store).page(None, b"", None, 100)
    return [entry.version_id or "" for entry in entries if entry.kind == "put"]


async def test_each_version_is_looked_for(versioned: Running) -> None:
    for body in (b"1", b"2", b"3"):
        await pushed(versioned, "k", body=body)
    one, two, _ = await version_ids(versioned)
    assert statuses(await audited(versioned)) == {f"k@{one}": "same", f"k@{two}": "same", "k": "same"}
    await call(versioned.remote.inner, "DeleteObject", at("k") | {"VersionId": one})
    assert statuses(await audited(versioned)) == {f"k@{one}": "gone", f"k@{two}": "same", "k": "same"}
    assert statuses(await audited(versioned, versions=False)) == {"k": "same"}


async def test_whether_a_version_is_still_there_below_what_others_did(versioned: Running) -> None:
    await pushed(versioned, "marked", "written", "erased")
    ids = dict(zip(("erased", "marked", "written"), await version_ids(versioned), strict=True))
    await call(versioned.remote.inner, "DeleteObject", at("marked"))
    await call(versioned.remote.inner, "PutObject", at("written"), b"something else")
    await call(versioned.remote.inner, "DeleteObject", at("erased") | {"VersionId": ids["erased"]})
    found = await audited(versioned)
    assert {name: (checked.status, checked.kept) for name, checked in found.items()} == {
        "marked": ("gone", True),
        "written": ("changed", True),
        "erased": ("gone", False),
    }


async def test_a_version_that_is_itself_different_is_asked_for_once(versioned: Running) -> None:
    await pushed(versioned, "k")
    inner = versioned.remote.inner

    async def damaged(request: S3Request) -> S3Response:
        response = await inner(request)
        response.headers["ETag"] = '"other"'
        return response

    versioned.remote.inner = damaged  # type: ignore[assignment]  # as the audit sees it
    before = len(versioned.remote.names("HeadObject"))
    found = await audited(versioned)
    assert (found["k"].status, found["k"].kept) == ("changed", None)
    assert len(versioned.remote.names("HeadObject")) == before + 1


async def test_a_delete_in_a_bucket_with_versions(versioned: Running) -> None:
    await pushed(versioned, "k")
    await deleted(versioned, "k")
    (version,) = await version_ids(versioned)
    assert statuses(await audited(versioned)) == {f"k@{version}": "same", "k": "deleted"}


async def test_what_is_on_its_way_is_skipped(it: Running) -> None:
    await pushed(it, "waits", "failed")
    it.engine.pause()
    await it.queue.put("waits", b"newer")
    operation = await it.queue.put("failed", b"newer")
    await it.queue.journal.fail(operation, {"code": "AccessDenied"})
    asked = len(it.remote.seen)
    assert statuses(await audited(it)) == {"waits": "skipped", "failed": "same"}
    assert it.remote.names("HeadObject")[-1:] == ["failed"]
    assert len(it.remote.seen) == asked + 1


async def test_what_changes_here_while_the_remote_is_asked_is_no_difference(it: Running) -> None:
    await pushed(it, "k")
    inner = it.remote.inner

    async def meanwhile(request: S3Request) -> S3Response:
        if request.operation == "HeadObject":
            it.remote.inner = inner
            await pushed(it, "k", body=b"newer")
        return await inner(request)

    it.remote.inner = meanwhile  # type: ignore[assignment]  # as the audit sees it
    assert statuses(await audited(it)) == {"k": "skipped"}
    assert statuses(await audited(it)) == {"k": "same"}


async def test_a_remote_that_is_away_is_asked_no_more(it: Running) -> None:
    await pushed(it, *[f"k{number:02}" for number in range(40)])

    def lose(request: S3Request) -> None:
        raise LOST

    it.remote.before = lose
    asked = len(it.remote.seen)
    found = await page(it)
    assert found.away == LOST.message
    assert {checked.status for checked in found.checked} == {"unknown"}
    assert found.checked[0].error is not None
    assert found.checked[0].error["code"] == LOST.code
    assert len(found.checked) == 40
    assert len(it.remote.seen) - asked < 20


@pytest.mark.parametrize("raised", [True, False])
async def test_what_may_not_be_read_is_unknown(it: Running, raised: bool) -> None:
    """A remote answers, an embedded store raises."""
    await pushed(it, "k")
    inner = it.remote.inner

    async def forbid(request: S3Request) -> S3Response:
        if request.operation != "HeadObject":
            return await inner(request)
        if raised:
            raise S3Error("AccessDenied")
        return bare(403)

    it.remote.inner = forbid  # type: ignore[assignment]  # as the audit sees it
    (checked,) = (await audited(it)).values()
    assert checked.status == "unknown"
    assert checked.error is not None
    assert checked.error["status"] == 403


async def test_an_embedded_store_raises_what_is_not_there(it: Running) -> None:
    await pushed(it, "k")

    def missing(request: S3Request) -> None:
        raise S3Error("NoSuchKey")

    it.remote.before = missing
    assert statuses(await audited(it)) == {"k": "gone"}


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
async def test_pages(it: Running, limit: int) -> None:
    keys = ["a", "b", "c", "d", "e"]
    await pushed(it, *keys, "c", "c")
    seen: list[str] = []
    after: Position | None = None
    while True:
        found = await page(it, limit=limit, after=after)
        assert len(found.checked) <= limit
        seen += [checked.entry.key.decode() for checked in found.checked]
        after = found.next
        if after is None:
            break
    assert seen == keys


async def test_a_page_that_ends_with_the_ledger_is_the_last(it: Running) -> None:
    await pushed(it, "a", "b")
    assert (await page(it, limit=1)).next is not None
    assert (await page(it, limit=2)).next is None


async def test_of_a_prefix(it: Running) -> None:
    await pushed(it, "a/1", "a/2", "b")
    assert list(await audited(it, bucket=BUCKET, prefix=b"a/")) == ["a/1", "a/2"]
    assert list(await audited(it, bucket="other")) == []


async def test_few_rows_are_looked_at_at_a_time(it: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a key that was written very often a page has few entries, or none, and goes on behind them."""
    monkeypatch.setattr("s3d.write_queue.audit._SCANNED", 1)
    await pushed(it, "k", "k", "k", "l")
    seen: list[list[str]] = []
    after: Position | None = None
    while True:
        found = await page(it, after=after, limit=2)
        seen.append([checked.entry.key.decode() for checked in found.checked])
        after = found.next
        if after is None:
            break
    assert seen == [[], ["k", "l"], []]


async def test_keys_are_bytes(it: Running) -> None:
    for key in ("a/../b", "a//", "/", "\udcff", "ü"):
        await pushed(it, key)
    await call(it.remote.inner, "DeleteObject", at("\udcff"))
    found = await page(it)
    assert {checked.entry.key: checked.status for checked in found.checked} == {
        b"/": "same",
        b"a//": "same",
        b"a/../b": "same",
        "ü".encode(): "same",
        b"\xff": "gone",
    }


async def test_not_too_many_at_a_time(it: Running) -> None:
    await pushed(it, *[f"k{number:02}" for number in range(40)])
    it.remote.most = 0
    assert len((await page(it)).checked) == 40
    assert 1 < it.remote.most <= 16


async def test_the_checksum_is_asked_for(it: Running) -> None:
    await pushed(it, "k")
    await audited(it)
    assert it.remote.seen[-1].headers["x-amz-checksum-mode"] == "ENABLED"


async def test_what_was_dropped_before_it_was_sent_is_not_in_the_ledger(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        begin = it.queue.journal.begin

        async def begin_and_drop(operation: Operation) -> bool:
            begun = await begin(operation)
            await it.queue.journal.drop(operation)
            return begun

        it.queue.journal.begin = begin_and_drop  # type: ignore[method-assign]
        it.engine.start()
        await it.drained()
        await until(lambda: not it.engine.document()["pushing"])
        assert it.remote.names("PutObject") == []
        assert await audited(it) == {}


async def test_an_upload_whose_etag_is_made_by_the_remote(tmp_path: Path) -> None:
    """As in a bucket that encrypts with keys of KMS."""
    async with running(tmp_path, start=False) as it:
        inner = it.remote.inner

        async def encrypts(request: S3Request) -> S3Response:
            response = await inner(request)
            response.headers["x-amz-server-side-encryption"] = "aws:kms"
            if request.operation == "CompleteMultipartUpload" and isinstance(response.body, bytes):
                response.body = re.sub(rb"[0-9a-f]{32}-\d+", b"f" * 32 + b"-9", response.body)
                del response.headers["Content-Length"]
            elif request.operation == "HeadObject" and response.status == 200:
                response.headers["ETag"] = f'"{"f" * 32}-9"'
            return response

        it.remote.inner = encrypts  # type: ignore[assignment]  # as the engine sees it
        await upload(it.queue, "k")
        it.engine.start()
        await it.drained()
        assert statuses(await audited(it)) == {"k": "same"}
