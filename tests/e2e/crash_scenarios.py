"""What the process does while it is ended: one scenario for each row of docs/crash-table.md."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.calling import call

from s3d.local.receive import receive
from s3d.s3.backend import Backend
from s3d.standalone.backend import Standalone

Done = Callable[[], Awaitable[None]]
SMALL, LARGE, TWO_BATCHES = b"s" * 5000, b"l" * 200_000, b"t" * 1_500_000


async def _nothing(store: Standalone) -> None:
    """A new store with its buckets."""


@dataclass(frozen=True)
class Scenario:
    """``run`` calls ``done`` after each acknowledged operation."""

    run: Callable[[Standalone, Done], Awaitable[None]]
    prepare: Callable[[Standalone], Awaitable[None]] = _nothing
    left: Callable[[Standalone, Path], Awaitable[None]] | None = None
    """Makes of the prepared store what a crash leaves; nothing is closed after it."""
    fresh: bool = False
    """Whether it begins without a directory."""
    passes: frozenset[str] = frozenset()
    """Points that must be among those where it was ended."""


async def put(store: Backend, key: str, body: bytes, bucket: str = "plain", **members: Any) -> dict[str, Any]:
    return await call(store, "PutObject", {"Bucket": bucket, "Key": key, **members}, body)


async def _put_small(store: Standalone, done: Done) -> None:
    await put(store, "a", SMALL)
    await done()
    await put(store, "b", b"")
    await done()


async def _put_large(store: Standalone, done: Done) -> None:
    await put(store, "a", LARGE)
    await done()
    await put(store, "b", TWO_BATCHES)
    await done()


async def _three(store: Standalone) -> None:
    for bucket in ("plain", "versioned"):
        await put(store, "small", SMALL, bucket)
        await put(store, "large", LARGE, bucket)
        await put(store, "other", LARGE[1:], bucket)


async def _overwrite(store: Standalone, done: Done) -> None:
    for key, body in (("small", LARGE + b"1"), ("large", SMALL + b"1"), ("other", LARGE + b"2")):
        await put(store, key, body)
        await done()
    await settle(store)


async def _overwrite_versioned(store: Standalone, done: Done) -> None:
    for key, body in (("small", LARGE + b"1"), ("large", SMALL + b"1")):
        await put(store, key, body, "versioned")
        await done()


async def _delete(store: Standalone, done: Done) -> None:
    for bucket, key in (("plain", "small"), ("plain", "large"), ("versioned", "large")):
        await call(store, "DeleteObject", {"Bucket": bucket, "Key": key})
        await done()
    await settle(store)


async def _delete_many(store: Standalone, done: Done) -> None:
    for bucket in ("plain", "versioned"):
        keys = [{"Key": key} for key in ("small", "large", "other", "absent")]
        await call(store, "DeleteObjects", {"Bucket": bucket, "Delete": {"Objects": keys}})
        await done()
    await settle(store)


async def _two_versions(store: Standalone) -> None:
    await put(store, "k", LARGE, "versioned")
    await put(store, "k", LARGE + b"2", "versioned")
    await call(store, "DeleteObject", {"Bucket": "versioned", "Key": "k"})


async def _remove_versions(store: Standalone, done: Done) -> None:
    """The delete marker, then the version that became current by that, then the last."""
    for _ in range(3):
        listed = await call(store, "ListObjectVersions", {"Bucket": "versioned"})
        entries = [*listed.get("DeleteMarkers", []), *listed.get("Versions", [])]
        latest = next(entry for entry in entries if entry["IsLatest"])
        named = {"Bucket": "versioned", "Key": "k", "VersionId": latest["VersionId"]}
        await call(store, "DeleteObject", named)
        await done()
    await settle(store)


async def _copy(store: Standalone, done: Done) -> None:
    """Two objects share a body; each of them goes."""
    source = {"Bucket": "plain", "Key": "large"}
    await call(store, "CopyObject", {"Bucket": "plain", "Key": "copy", "CopySource": "plain/large"})
    await done()
    await call(store, "DeleteObject", source)
    await done()
    await call(store, "DeleteObject", {"Bucket": "plain", "Key": "copy"})
    await done()
    await settle(store)


async def _upload(store: Standalone, key: str) -> dict[str, Any]:
    created = await call(store, "CreateMultipartUpload", {"Bucket": "plain", "Key": key})
    return {"Bucket": "plain", "Key": key, "UploadId": created["UploadId"]}


async def _multipart(store: Standalone, done: Done) -> None:
    """A part that replaces one, a part that is not wanted in the end, an object that replaces one and is replaced."""
    upload = await _upload(store, "large")
    await done()
    for number, body in ((1, SMALL), (2, LARGE[2:]), (1, LARGE)):
        answer = await call(store, "UploadPart", {**upload, "PartNumber": number}, body)
        await done()
    parts = [{"PartNumber": 1, "ETag": answer["ETag"]}]
    await call(store, "CompleteMultipartUpload", {**upload, "MultipartUpload": {"Parts": parts}})
    await done()
    await put(store, "large", SMALL)
    await done()
    await settle(store)


async def _abort(store: Standalone, done: Done) -> None:
    upload = await _upload(store, "m")
    await done()
    for number, body in ((1, LARGE), (2, SMALL)):
        await call(store, "UploadPart", {**upload, "PartNumber": number}, body)
        await done()
    await call(store, "AbortMultipartUpload", upload)
    await done()
    await settle(store)


async def _start(store: Standalone, done: Done) -> None:
    """The start is what is looked at."""


async def _leave(store: Standalone, directory: Path) -> None:
    """What a crash leaves of everything: a file without a row, one with a row and not yet renamed, one in the trash."""
    await put(store, "renamed", LARGE + b"renamed")
    await put(store, "gone", LARGE + b"gone")
    await settle(store)
    bodies = store._store.bodies
    await receive(bodies, LARGE + b"no row")
    file = store._store.reader.execute(
        "SELECT file FROM body JOIN object ON body.id = object.body WHERE key = ?", (b"renamed",)
    ).fetchone()[0]
    bodies.path(file).rename(bodies.incoming / file)
    bodies.sweep = lambda: None  # type: ignore[method-assign]  # the crash comes before it
    await call(store, "DeleteObject", {"Bucket": "plain", "Key": "gone"})


async def settle(store: Standalone) -> None:
    """Waits for the removal of files."""
    await store._store.bodies.close()
    await asyncio.sleep(0)


def _points(text: str) -> frozenset[str]:
    return frozenset(text.strip().split("\n"))


_COMMIT = frozenset({"before COMMIT", "after COMMIT"})
_FILE = _COMMIT | _points("""
after open incoming
in the middle of writev
after writev
before fsync of a file incoming
before fsync of a directory incoming
after fsync of a directory incoming
before INSERT INTO body
before rename incoming
after rename incoming
""")
_TRASH = _COMMIT | _points("""
before INSERT OR IGNORE
before unlink bodies
after unlink bodies
before DELETE FROM trash
""")
_START = _points("""
before rename incoming
after rename incoming
before unlink incoming
after unlink incoming
before unlink bodies
after unlink bodies
before DELETE FROM trash
""")
_FIRST = _points("""
after mkdir .
after open lock
before CREATE TABLE bucket
before COMMIT;
after a migration
before fsync of a directory .
after mkdir incoming
after mkdir bodies
before INSERT INTO bucket
""")
_VERSIONS = _TRASH | _points("""
before DELETE FROM noncurrent
before INSERT INTO object
""")
_SHARED = _TRASH | {"before UPDATE body SET"}
_MULTIPART = (
    _FILE
    | _TRASH
    | _points("""
before INSERT INTO upload
before INSERT INTO part
before INSERT INTO completed
before DELETE FROM upload
""")
)

SCENARIOS = {
    "first start": Scenario(_put_large, fresh=True, passes=_FIRST | _FILE),
    "start": Scenario(_start, _three, _leave, passes=_START),
    "put small": Scenario(_put_small, passes=_COMMIT | {"before INSERT INTO body"}),
    "put large": Scenario(_put_large, passes=_FILE),
    "overwrite": Scenario(_overwrite, _three, passes=_FILE | _TRASH),
    "overwrite versioned": Scenario(_overwrite_versioned, _three, passes=_FILE | {"before INSERT INTO noncurrent"}),
    "delete": Scenario(_delete, _three, passes=_TRASH),
    "delete many": Scenario(_delete_many, _three, passes=_TRASH),
    "remove versions": Scenario(_remove_versions, _two_versions, passes=_VERSIONS),
    "copy": Scenario(_copy, _three, passes=_SHARED),
    "multipart": Scenario(_multipart, _three, passes=_MULTIPART),
    "abort": Scenario(_abort, passes=_FILE | _TRASH | {"before DELETE FROM upload"}),
}
