"""What the queue does while its process is ended: one scenario for each row of docs/write-queue.md, and for those of
docs/crash-table.md that are about changes of objects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from e2e.queue_crash.rig import Rig
from e2e.queue_crash.states import BUCKETS

SMALL, LARGE, PART = b"s" * 5000, b"l" * 150_000, b"p" * 100_000
MINIMUM_PART = len(PART)
"""Bytes of a part; S3's own minimum is 5 MiB, which would be written thousands of times."""
_TEXT = {"Metadata": {"n": "1"}, "ContentType": "text/x-test", "CacheControl": "no-store"}
_TAGS = {"Tagging": "a=1&b=2"}
_NOT_HELD = "!*/held*"

Work = Callable[[Rig], Awaitable[None]]


async def _nothing(rig: Rig) -> None:
    """The queue has never been used."""


@dataclass(frozen=True)
class Scenario:
    """``run`` is ended at each of its points, after ``prepare``."""

    run: Work
    prepare: Work = _nothing
    fresh: bool = False
    """Whether there is no directory yet."""
    uploads: int = 0
    """How many can be begun at the remote at a time."""
    again: bool = False
    """Whether an upload may still be here whose completion was not acknowledged, although the remote has the object."""
    fails: bool = False
    """Whether something may be refused, and is tried again."""
    only: str | None = None
    """The filter while it runs; the next start has none, and lets go what was held."""
    holds: str | None = None
    """Keys that begin with this must not get to the remote while it runs."""
    passes: frozenset[str] = frozenset()
    """Points that must be among those where it was ended."""


async def _known(rig: Rig) -> None:
    """The queue knows the buckets; each has three objects, which are at the remote."""
    for bucket in BUCKETS:
        await rig.put(bucket, "small", SMALL)
        await rig.put(bucket, "large", LARGE)
        await rig.put(bucket, "other", LARGE[1:], **_TEXT, **_TAGS)
    await rig.flush()
    rig.pause()


async def _waiting(rig: Rig) -> None:
    """As `_known`, and changes of all of them wait."""
    await _known(rig)
    for bucket in BUCKETS:
        await rig.put(bucket, "small", SMALL + b"2", **_TEXT)
        await rig.put(bucket, "large", LARGE + b"2", **_TAGS)


# Accepting; nothing is pushed meanwhile.


async def _put(rig: Rig) -> None:
    await rig.put("plain", "a", SMALL, **_TEXT, **_TAGS)
    await rig.put("plain", "b", b"")
    await rig.put("plain", "c", LARGE, **_TEXT, ChecksumAlgorithm="SHA256")
    await rig.put("versioned", "d", LARGE + b"d", StorageClass="STANDARD_IA")


async def _overwrite(rig: Rig) -> None:
    for bucket in BUCKETS:
        await rig.put(bucket, "small", LARGE + b"3")
        await rig.put(bucket, "large", SMALL + b"3")


async def _delete(rig: Rig) -> None:
    for bucket in BUCKETS:
        await rig.delete(bucket, "large")
        await rig.delete(bucket, "other")
    keys = [{"Key": key} for key in ("small", "other")]
    await rig.do("DeleteObjects", "plain", "", Delete={"Objects": keys})


async def _tag(rig: Rig) -> None:
    for bucket in BUCKETS:
        await rig.tag(bucket, "small", "1")
    await rig.do("DeleteObjectTagging", "plain", "large")


async def _copy(rig: Rig) -> None:
    """Two objects share a body; each of them goes."""
    await rig.do("CopyObject", "plain", "copy", CopySource="plain/large")
    await rig.do("CopyObject", "versioned", "copy", CopySource="plain/large", MetadataDirective="REPLACE", **_TEXT)
    await rig.delete("plain", "large")
    await rig.delete("plain", "copy")


async def _upload(rig: Rig, bucket: str, key: str, *bodies: bytes, **condition: str) -> None:
    """From create to complete. The first part is sent twice, and there is one that is not wanted in the end."""
    created = await rig.do("CreateMultipartUpload", bucket, key, **_TEXT, **_TAGS)
    upload = {"UploadId": created["UploadId"]}
    entries = []
    for number, body in [(1, b"not this"), *enumerate(bodies, 1)]:
        part = await rig.do("UploadPart", bucket, key, body, PartNumber=number, **upload)
        entries.append({"PartNumber": number, "ETag": part["ETag"]})
    await rig.do("UploadPart", bucket, key, LARGE, PartNumber=9, **upload)
    document = {"MultipartUpload": {"Parts": entries[1:]}}
    await rig.do("CompleteMultipartUpload", bucket, key, **document, **upload, **condition)


async def _uploads(rig: Rig) -> None:
    await _upload(rig, "plain", "large", PART, PART + b"2", b"end")
    aborted = await rig.do("CreateMultipartUpload", "plain", "aborted")
    await rig.do("UploadPart", "plain", "aborted", LARGE, PartNumber=1, UploadId=aborted["UploadId"])
    await rig.do("AbortMultipartUpload", "plain", "aborted", UploadId=aborted["UploadId"])
    goes_on = await rig.do("CreateMultipartUpload", "versioned", "goes on", **_TEXT)
    await rig.do("UploadPart", "versioned", "goes on", LARGE, PartNumber=2, UploadId=goes_on["UploadId"])
    copied = {"PartNumber": 3, "CopySource": "plain/small", "UploadId": goes_on["UploadId"]}
    await rig.do("UploadPartCopy", "versioned", "goes on", **copied)


# Pushing what waits.


async def _flush(rig: Rig) -> None:
    await rig.flush()


async def _puts_wait(rig: Rig) -> None:
    """In a bucket with versions each of them is one, equal ones too."""
    await _waiting(rig)
    for bucket in BUCKETS:
        await rig.put(bucket, "twice", LARGE + b"t")
        await rig.put(bucket, "twice", LARGE + b"t")
        await rig.put(bucket, "new", SMALL, StorageClass="STANDARD_IA", ChecksumAlgorithm="CRC32C")


async def _deletes_wait(rig: Rig) -> None:
    """Of what is there, of what waits, and of what comes again."""
    await _waiting(rig)
    for bucket in BUCKETS:
        await rig.delete(bucket, "small")
        await rig.delete(bucket, "other")
        await rig.put(bucket, "other", SMALL + b"again")


async def _deletes_wait_again(rig: Rig) -> None:
    """In a bucket with versions each is a delete marker, also of what is not there."""
    await _known(rig)
    for bucket in BUCKETS[:2]:
        await rig.delete(bucket, "small")
        await rig.delete(bucket, "small")
        await rig.delete(bucket, "absent")


async def _tags_wait(rig: Rig) -> None:
    """For objects of which nobody knows whether they are at the remote."""
    await _known(rig)
    rig.lose("PutObject", times=len(BUCKETS))
    rig.hold("PutObject")
    rig.resume()
    for bucket in BUCKETS:
        await rig.put(bucket, "small", SMALL + b"t")
        await rig.reached()
    rig.pause()
    for bucket in BUCKETS:
        await rig.tag(bucket, "small", bucket)
    rig.release("PutObject")
    await rig.lost()
    await rig.put("plain", "large", LARGE + b"t", **_TAGS)
    await rig.do("DeleteObjectTagging", "plain", "large")


async def _upload_waits(rig: Rig) -> None:
    await _known(rig)
    for bucket in BUCKETS[:2]:
        await _upload(rig, bucket, "large", PART, PART + b"2", PART + b"3", PART + b"4", PART + b"5", b"end")


async def _upload_is_lost(rig: Rig) -> None:
    """An upload was begun at the remote, which then forgot it."""
    await _upload_waits(rig)
    rig.lose("UploadPart")
    rig.hold("UploadPart")
    rig.resume()
    await rig.reached()
    rig.pause()
    rig.release("UploadPart")
    await rig.lost()
    rig.forget_uploads()


# Both at once.


async def _replace(rig: Rig) -> None:
    """An object is replaced, or deleted, while it is sent."""
    rig.resume()
    for bucket in BUCKETS:
        for body in (LARGE + b"b", None):
            rig.hold("PutObject")
            await rig.put(bucket, "k", LARGE + b"a" * (1 + (body is None)))
            await rig.reached()
            await (rig.delete(bucket, "k") if body is None else rig.put(bucket, "k", body))
            rig.release("PutObject")
            await rig.flush()


async def _tag_pushed(rig: Rig) -> None:
    rig.resume()
    for bucket in BUCKETS:
        rig.hold("PutObject")
        await rig.put(bucket, "k", LARGE, **_TAGS)
        await rig.reached()
        await rig.tag(bucket, "k", "1")
        await rig.tag(bucket, "k", "2")
        rig.release("PutObject")
        await rig.flush()


async def _answers_lost(rig: Rig) -> None:
    for bucket in BUCKETS:
        rig.lose("PutObject", "DeleteObject")
        await rig.put(bucket, "small", SMALL + b"4", **_TEXT)
        await rig.flush()
        await rig.delete(bucket, "large")
        await rig.flush()


async def _answers_of_uploads_lost(rig: Rig) -> None:
    rig.lose("CompleteMultipartUpload", "UploadPart")
    await _upload(rig, "versioned", "large", PART, PART + b"2", b"end")
    await rig.flush()


async def _refused(rig: Rig) -> None:
    """What failed is kept, an upload with what was sent of it; then it is let in."""
    rig.refuse("PutObject", "CompleteMultipartUpload")
    await rig.put("plain", "small", SMALL + b"5")
    await _upload(rig, "versioned", "large", PART, b"end")
    await rig.flush()
    await rig.retry()


async def _straight(rig: Rig) -> None:
    """Behind what waits for the key."""
    rig.resume()
    await rig.put("plain", "k", LARGE)
    await rig.put("plain", "k", SMALL, IfMatch=await _etag(rig, "plain", "k"))
    await rig.put("versioned", "new", SMALL, IfNoneMatch="*")
    await rig.flush()


async def _upload_straight(rig: Rig) -> None:
    """Completed at the remote, on a condition that only that can judge."""
    rig.resume()
    await rig.put("versioned", "k", SMALL)
    await _upload(rig, "versioned", "k", PART, PART + b"2", b"end", IfMatch=await _etag(rig, "versioned", "k"))
    await _upload(rig, "plain", "new", PART, b"end", IfNoneMatch="*")


async def _hold(rig: Rig) -> None:
    """All that can become of what is held, while others are pushed."""
    rig.resume()
    for bucket in BUCKETS:
        await rig.put(bucket, "held 1", LARGE, **_TEXT, **_TAGS)
        await rig.put(bucket, "held 2", SMALL)
        await rig.tag(bucket, "held 2", "1")
        await rig.put(bucket, "goes", LARGE + b"g")
    await rig.put("plain", "held 1", SMALL + b"6")
    await rig.do("CopyObject", "plain", "held 3", CopySource="plain/held 2")
    await rig.put("plain", "held 4", LARGE + b"4")
    await rig.delete("plain", "held 4")
    await _upload(rig, "versioned", "held 5", PART, PART + b"2", b"end")
    await rig.flush()


async def _held_wait(rig: Rig) -> None:
    await _known(rig)
    for bucket in BUCKETS:
        await rig.put(bucket, "held 1", LARGE, **_TEXT, **_TAGS)
        await rig.put(bucket, "held 2", SMALL)
    await _upload(rig, "plain", "held 3", PART, b"end")


async def _let_go(rig: Rig) -> None:
    """By the tags of an object, and by those of buckets."""
    rig.resume()
    lets_go = {"Tagging": {"TagSet": [{"Key": "s3d.upload", "Value": "true"}]}}
    await rig.do("PutObjectTagging", "plain", "held 2", **lets_go)
    for bucket in BUCKETS:
        await rig.do("PutBucketTagging", bucket, "", **lets_go)
    await rig.flush()


async def _etag(rig: Rig, bucket: str, key: str) -> str:
    answer = await rig.do("HeadObject", bucket, key)
    return str(answer["ETag"])


async def _first(rig: Rig) -> None:
    """All of it from nothing, the questions for the bucket too."""
    rig.resume()
    await rig.put("plain", "a", LARGE, **_TEXT)
    await rig.flush()


async def _everything(rig: Rig) -> None:
    """Also while something is pushed, and with what is left in the end."""
    for work in (_waiting, _put, _tag, _copy, _uploads, _flush, _overwrite, _delete):
        await work(rig)
    rig.resume()
    await _replace(rig)
    await _upload(rig, "plain", "large", PART, PART + b"6", b"end")
    rig.pause()
    for bucket in BUCKETS:
        await rig.put(bucket, "last", LARGE, **_TEXT)
        await rig.put(bucket, "last", SMALL, **_TAGS)


EVERYTHING = Scenario(_everything, fresh=True, uploads=3)
"""For a power cut."""


def _points(text: str) -> frozenset[str]:
    return frozenset(line for line in text.strip().split("\n") if line)


_COMMIT = frozenset({"before COMMIT", "after COMMIT"})
_ACCEPTED = _COMMIT | {"before INSERT INTO operation"}
_FILE = _ACCEPTED | _points("""
in the middle of writev
after writev
before fsync of a file incoming
after fsync of a directory incoming
before INSERT INTO body
before rename incoming
""")
_TRASH = _COMMIT | _points("""
before DELETE FROM operation
before INSERT OR IGNORE
before unlink bodies
after unlink bodies
before DELETE FROM trash
""")
_SENT = _COMMIT | _points("""
before UPDATE operation SET
before PutObject
in the middle of PutObject
after PutObject
before INSERT OR REPLACE
""")
_DELETED = _points("""
before DeleteObject
after DeleteObject
before DELETE FROM operation
""")
_PARTS = _points("""
before CreateMultipartUpload
after CreateMultipartUpload
before UploadPart
in the middle of UploadPart
after UploadPart
before CompleteMultipartUpload
after CompleteMultipartUpload
""")
_AGAIN = _points("""
before AbortMultipartUpload
before CreateMultipartUpload
after CompleteMultipartUpload
""")
_ABORTED = _points("""
before INSERT INTO upload_request
before DELETE FROM upload
before DELETE FROM upload_request
""")

SCENARIOS: dict[str, Scenario] = {
    "first start": Scenario(_first, fresh=True, passes=_points("after HeadBucket\nafter GetBucketVersioning")),
    "put": Scenario(_put, _known, passes=_FILE),
    "overwrite": Scenario(_overwrite, _waiting, passes=_ACCEPTED | _TRASH),
    "delete": Scenario(_delete, _waiting, passes=_ACCEPTED),
    "tag": Scenario(_tag, _waiting, passes=_COMMIT),
    "copy": Scenario(_copy, _waiting, passes=_ACCEPTED | {"before UPDATE body SET", "before DELETE FROM operation"}),
    "uploads": Scenario(_uploads, _waiting, passes=_ACCEPTED | _ABORTED),
    "push puts": Scenario(_flush, _puts_wait, passes=_SENT | _TRASH),
    "push deletes": Scenario(_flush, _deletes_wait, passes=_COMMIT | _DELETED),
    "push deletes again": Scenario(_flush, _deletes_wait_again, passes=_DELETED),
    "push tags": Scenario(_flush, _tags_wait, passes=_points("after HeadObject\nafter PutObjectTagging")),
    "push upload": Scenario(_flush, _upload_waits, uploads=2, passes=_PARTS | _COMMIT),
    "push upload that is lost": Scenario(_flush, _upload_is_lost, uploads=2, passes=_AGAIN | {"after HeadObject"}),
    "replace while it is pushed": Scenario(_replace, _known, passes=_points("after PutObject\nafter DeleteObject")),
    "tag while it is pushed": Scenario(_tag_pushed, _known, passes=_points("after PutObject\nafter PutObjectTagging")),
    "lose answers": Scenario(_answers_lost, _known, passes=_points("after HeadObject\nafter HeadBucket")),
    "lose answers of an upload": Scenario(
        _answers_of_uploads_lost, _known, uploads=1, passes=_AGAIN - {"before AbortMultipartUpload"}
    ),
    "refuse": Scenario(_refused, _known, uploads=1, fails=True, passes=_AGAIN),
    "upload straight": Scenario(_upload_straight, _known, uploads=1, again=True, passes=_AGAIN | _ABORTED),
    "hold": Scenario(_hold, _known, uploads=1, only=_NOT_HELD, holds="held", passes=_ACCEPTED | _TRASH | _SENT),
    "let go": Scenario(
        _let_go,
        _held_wait,
        uploads=1,
        only=_NOT_HELD,
        passes=_SENT | {"before PutBucketTagging", "after PutBucketTagging"},
    ),
    "straight": Scenario(_straight, _known, passes=_points("before PutObject\nafter PutObject")),
}
