"""CopyObject."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Members, call, refused
from model.checksums import checksum
from unit.standalone import opened
from unit.standalone.opened import BUCKET
from unit.standalone.uploading import PART, etag, put_in_parts

from s3d.standalone import copy, copy_source
from s3d.standalone.backend import Standalone
from s3d.standalone.store import Store

backend, directory, store = opened.backend, opened.directory, opened.store
SOURCE, TARGET = {"Bucket": BUCKET, "Key": "source"}, {"Bucket": BUCKET, "Key": "target"}
LARGE = PART[: 1 << 20]
DESCRIBED = {
    "ContentType": "x/y",
    "CacheControl": "no-cache",
    "Metadata": {"a": "1"},
    "WebsiteRedirectLocation": "/else",
    "StorageClass": "STANDARD_IA",
}


async def _copy(backend: Standalone, target: Members = TARGET, **members: Any) -> Members:
    return await call(backend, "CopyObject", {"CopySource": f"{BUCKET}/source", **target, **members})


async def _set_versioning(backend: Standalone, status: str = "Enabled") -> None:
    versioning = {"VersioningConfiguration": {"Status": status}}
    await call(backend, "PutBucketVersioning", {"Bucket": BUCKET, **versioning})


def _count(store: Store, table: str) -> int:
    count: int = store.reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


@pytest.mark.parametrize("data", [b"", b"inline", LARGE], ids=["empty", "inline", "file"])
async def test_a_copy_shares_the_body(backend: Standalone, store: Store, data: bytes) -> None:
    await call(backend, "PutObject", SOURCE, data)
    copied = await _copy(backend)
    got = await call(backend, "GetObject", {**TARGET, "ChecksumMode": "ENABLED"})
    assert got["Body"] == data
    assert copied == {
        "CopyObjectResult": {
            "ETag": etag(data),
            "LastModified": got["LastModified"],
            "ChecksumCRC64NVME": checksum("CRC64NVME", data),
            "ChecksumType": "FULL_OBJECT",
        }
    }
    assert (got["ETag"], got["ChecksumCRC64NVME"]) == (etag(data), checksum("CRC64NVME", data))
    assert _count(store, "body") == (1 if data else 0)
    await call(backend, "DeleteObject", SOURCE)
    assert (await call(backend, "GetObject", TARGET))["Body"] == data
    await call(backend, "DeleteObject", TARGET)
    assert _count(store, "body") == 0


async def test_a_copy_of_parts_is_one_body(backend: Standalone, store: Store) -> None:
    await put_in_parts(backend, "source", PART, b"tail")
    copied = (await _copy(backend))["CopyObjectResult"]
    assert (copied["ETag"], copied["ChecksumType"]) == (etag(PART + b"tail"), "FULL_OBJECT")
    await call(backend, "DeleteObject", SOURCE)
    assert (await call(backend, "GetObject", TARGET))["Body"] == PART + b"tail"
    assert (_count(store, "body"), _count(store, "part")) == (1, 0)


async def test_parts_onto_themselves(backend: Standalone) -> None:
    await put_in_parts(backend, "source", PART, b"tail")
    copied = await _copy(backend, SOURCE, MetadataDirective="REPLACE")
    assert copied["CopyObjectResult"]["ETag"] == etag(PART + b"tail")
    assert (await call(backend, "GetObject", SOURCE))["Body"] == PART + b"tail"


async def test_the_source_is_deleted_while_it_is_read(backend: Standalone, store: Store) -> None:
    await put_in_parts(backend, "source", PART, PART[::-1])
    async with asyncio.TaskGroup() as group:
        copying = group.create_task(_copy(backend))
        while not store.bodies._pins:  # until it has begun
            await asyncio.sleep(0)
        await call(backend, "DeleteObject", SOURCE)
    assert copying.result()["CopyObjectResult"]["ETag"] == etag(PART + PART[::-1])
    assert (await call(backend, "GetObject", TARGET))["Body"] == PART + PART[::-1]


async def test_a_client_that_goes_away(backend: Standalone, store: Store) -> None:
    await put_in_parts(backend, "source", PART, PART[::-1])
    async with asyncio.TaskGroup() as group:
        copying = group.create_task(_copy(backend))
        while not store.bodies._pins:
            await asyncio.sleep(0)
        copying.cancel()
    assert not store.bodies._pins
    with refused(404, "NoSuchKey"):
        await call(backend, "GetObject", TARGET)


async def test_metadata_is_copied(backend: Standalone) -> None:
    await call(backend, "PutObject", {**SOURCE, **DESCRIBED, "Tagging": "t=1"}, b"x")
    await _copy(backend, ContentType="not/used", Metadata={"not": "used"}, Tagging="not=used")
    got = await call(backend, "GetObject", TARGET)
    assert (got["ContentType"], got["CacheControl"], got["Metadata"], got["TagCount"]) == (
        "x/y",
        "no-cache",
        {"a": "1"},
        1,
    )
    assert "WebsiteRedirectLocation" not in got
    assert "StorageClass" not in got
    assert (await call(backend, "GetObjectTagging", TARGET))["TagSet"] == [{"Key": "t", "Value": "1"}]


async def test_metadata_is_replaced(backend: Standalone) -> None:
    await call(
        backend, "PutObject", {**SOURCE, "Metadata": {"b": "2"}, "ContentLanguage": "de", "Tagging": "t=1"}, b"x"
    )
    await _copy(backend, MetadataDirective="REPLACE", TaggingDirective="REPLACE", Tagging="u=2", **DESCRIBED)
    got = await call(backend, "GetObject", TARGET)
    assert {name: got[name] for name in DESCRIBED} == DESCRIBED
    assert "ContentLanguage" not in got
    assert (await call(backend, "GetObjectTagging", TARGET))["TagSet"] == [{"Key": "u", "Value": "2"}]
    await _copy(backend, TaggingDirective="REPLACE")
    assert (await call(backend, "GetObjectTagging", TARGET))["TagSet"] == []


@pytest.mark.parametrize(
    ("members", "argument"),
    [
        ({"MetadataDirective": "NONE"}, "x-amz-metadata-directive"),
        ({"TaggingDirective": "?"}, "x-amz-tagging-directive"),
    ],
)
async def test_a_directive_that_is_none(backend: Standalone, members: Members, argument: str) -> None:
    await call(backend, "PutObject", SOURCE, b"x")
    with refused(400, "InvalidArgument", elements={"ArgumentName": argument}):
        await _copy(backend, **members)


async def test_onto_itself(backend: Standalone, store: Store) -> None:
    await call(backend, "PutObject", {**SOURCE, "Metadata": {"a": "1"}}, LARGE)
    with refused(400, "InvalidRequest") as refusal:
        await _copy(backend, SOURCE)
    assert "to itself without changing" in str(refusal.value)
    with refused(400, "InvalidRequest"):
        await _copy(backend, SOURCE, TaggingDirective="REPLACE", Tagging="a=b")
    await _copy(backend, SOURCE, MetadataDirective="REPLACE", Metadata={"b": "2"})
    await _copy(backend, SOURCE, StorageClass="STANDARD_IA")
    await _copy(backend, SOURCE, WebsiteRedirectLocation="/else")
    got = await call(backend, "GetObject", SOURCE)
    assert (got["Body"], got["Metadata"]) == (LARGE, {"b": "2"})
    assert store.reader.execute("SELECT refs FROM body").fetchall() == [(1,)]


async def test_an_old_version_onto_itself(backend: Standalone) -> None:
    await call(backend, "PutObject", SOURCE, b"null")
    await _set_versioning(backend)
    old = await call(backend, "PutObject", SOURCE, b"old")
    await call(backend, "PutObject", SOURCE, b"new")
    restored = await _copy(backend, SOURCE, CopySource=f"{BUCKET}/source?versionId={old['VersionId']}")
    assert restored["CopySourceVersionId"] == old["VersionId"]
    got = await call(backend, "GetObject", SOURCE)
    assert (got["Body"], got["VersionId"]) == (b"old", restored["VersionId"])
    restored = await _copy(backend, SOURCE, CopySource=f"{BUCKET}/source?versionId=null")
    assert restored["CopySourceVersionId"] == "null"
    assert (await call(backend, "GetObject", SOURCE))["Body"] == b"null"


async def test_the_null_version_onto_itself(backend: Standalone, store: Store) -> None:
    """It replaces what it shares the body of."""
    await _set_versioning(backend, "Suspended")
    await call(backend, "PutObject", SOURCE, LARGE)
    copied = await _copy(backend, SOURCE, CopySource=f"{BUCKET}/source?versionId=null")
    assert ("VersionId" in copied, copied["CopySourceVersionId"]) == (False, "null")
    assert (await call(backend, "GetObject", SOURCE))["Body"] == LARGE
    assert store.reader.execute("SELECT refs FROM body").fetchall() == [(1,)]


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"])
@pytest.mark.parametrize("data", [b"", LARGE], ids=["empty", "file"])
async def test_another_checksum(backend: Standalone, store: Store, algorithm: str, data: bytes) -> None:
    await call(backend, "PutObject", {**SOURCE, "ChecksumSHA1": checksum("SHA1", data)}, data)
    copied = (await _copy(backend, ChecksumAlgorithm=algorithm))["CopyObjectResult"]
    assert copied[f"Checksum{algorithm}"] == checksum(algorithm, data)
    assert _count(store, "body") == (1 if data else 0)
    kept = (await _copy(backend))["CopyObjectResult"]
    assert kept["ChecksumSHA1"] == checksum("SHA1", data)


async def test_another_checksum_of_parts(backend: Standalone) -> None:
    await put_in_parts(backend, "source", PART, b"tail")
    copied = (await _copy(backend, ChecksumAlgorithm="SHA256"))["CopyObjectResult"]
    assert copied["ChecksumSHA256"] == checksum("SHA256", PART + b"tail")


async def test_the_source_changes_while_its_checksum_is_computed(
    backend: Standalone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await call(backend, "PutObject", SOURCE, b"old")
    digest = copy.digest

    async def overwritten(*arguments: Any) -> bytes:
        monkeypatch.setattr(copy, "digest", digest)
        await call(backend, "PutObject", SOURCE, b"new")
        return await digest(*arguments)

    monkeypatch.setattr(copy, "digest", overwritten)
    copied = (await _copy(backend, ChecksumAlgorithm="SHA256"))["CopyObjectResult"]
    assert (copied["ETag"], copied["ChecksumSHA256"]) == (etag(b"new"), checksum("SHA256", b"new"))
    assert (await call(backend, "GetObject", TARGET))["Body"] == b"new"


async def test_a_source_that_never_stays(backend: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    await call(backend, "PutObject", SOURCE, b"0")
    digest = copy.digest

    async def overwritten(*arguments: Any) -> bytes:
        found = await digest(*arguments)
        await call(backend, "PutObject", SOURCE, found)
        return found

    monkeypatch.setattr(copy, "digest", overwritten)
    with refused(503, "SlowDown"):
        await _copy(backend, ChecksumAlgorithm="SHA256")


async def test_the_source_goes_just_before(backend: Standalone) -> None:
    """Both were asked for at once, and the deletion is the first in the transaction."""
    await call(backend, "PutObject", SOURCE, LARGE)
    outcomes = await asyncio.gather(call(backend, "DeleteObject", SOURCE), _copy(backend), return_exceptions=True)
    assert getattr(outcomes[1], "code", None) == "NoSuchKey"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"StorageClass": "COLD"}, "InvalidStorageClass"),
        ({"TaggingDirective": "REPLACE", "Tagging": "a=<"}, "InvalidTag"),
        ({"MetadataDirective": "REPLACE", "Metadata": {"a": "x" * 2048}}, "MetadataTooLarge"),
        ({"ChecksumAlgorithm": "CRC31"}, "InvalidRequest"),
    ],
)
async def test_a_wrong_request_reads_nothing(
    backend: Standalone, monkeypatch: pytest.MonkeyPatch, members: Members, code: str
) -> None:
    await put_in_parts(backend, "source", b"x")
    monkeypatch.delattr(copy, "receive")
    with refused(400, code):
        await _copy(backend, **members)


async def test_between_buckets(backend: Standalone) -> None:
    await call(backend, "CreateBucket", {"Bucket": "other"})
    await call(backend, "PutObject", SOURCE, LARGE)
    await _copy(backend, {"Bucket": "other", "Key": "source"})
    await call(backend, "DeleteObject", SOURCE)
    assert (await call(backend, "GetObject", {"Bucket": "other", "Key": "source"}))["Body"] == LARGE


async def test_what_is_not_there(backend: Standalone) -> None:
    for target in (TARGET, SOURCE):
        with refused(404, "NoSuchKey", elements={"Key": "source"}):
            await _copy(backend, target)
    with refused(404, "NoSuchBucket", elements={"BucketName": "none"}):
        await _copy(backend, CopySource="none/source")
    await call(backend, "PutObject", SOURCE, b"x")
    with refused(404, "NoSuchBucket", elements={"BucketName": "missing"}):
        await _copy(backend, {"Bucket": "missing", "Key": "k"})
    await _set_versioning(backend)
    gone = (await call(backend, "PutObject", SOURCE, b"x"))["VersionId"]
    await call(backend, "DeleteObject", {**SOURCE, "VersionId": gone})
    with refused(404, "NoSuchVersion", elements={"Key": "source", "VersionId": gone}):
        await _copy(backend, CopySource=f"{BUCKET}/source?versionId={gone}")
    with refused(400, "InvalidArgument"):
        await _copy(backend, CopySource=f"{BUCKET}/source?versionId=nonsense")


async def test_a_delete_marker_as_the_source(backend: Standalone) -> None:
    await _set_versioning(backend)
    await call(backend, "PutObject", SOURCE, b"x")
    marker = (await call(backend, "DeleteObject", SOURCE))["VersionId"]
    with refused(404, "NoSuchKey", elements={"Key": "source"}) as refusal:
        await _copy(backend)
    assert "x-amz-delete-marker" not in refusal.value.headers
    with refused(400, "InvalidRequest"):
        await _copy(backend, CopySource=f"{BUCKET}/source?versionId={marker}")


async def test_conditions_on_the_source(backend: Standalone) -> None:
    await call(backend, "PutObject", SOURCE, b"x")
    modified = (await call(backend, "HeadObject", SOURCE))["LastModified"]
    for condition in (
        {"CopySourceIfMatch": etag(b"y")},
        {"CopySourceIfNoneMatch": etag(b"x")},
        {"CopySourceIfModifiedSince": modified},
        {"CopySourceIfUnmodifiedSince": modified.replace(year=2000)},
    ):
        with refused(412, "PreconditionFailed"):
            await _copy(backend, **condition)
    await _copy(backend, CopySourceIfMatch=etag(b"x"), CopySourceIfUnmodifiedSince=modified.replace(year=2000))


async def test_conditions_on_the_target(backend: Standalone) -> None:
    await call(backend, "PutObject", SOURCE, b"x")
    with refused(404, "NoSuchKey", elements={"Key": "target"}):
        await _copy(backend, IfMatch=etag(b"x"))
    await _copy(backend, IfNoneMatch="*")
    with refused(412, "PreconditionFailed", elements={"Condition": "If-None-Match"}):
        await _copy(backend, IfNoneMatch="*")
    with refused(412, "PreconditionFailed", elements={"Condition": "If-Match"}):
        await _copy(backend, IfMatch=etag(b"y"))
    await _copy(backend, IfMatch=etag(b"x"))


async def test_a_source_that_is_too_large(backend: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_source, "MAX_SIZE", 9)
    await call(backend, "PutObject", SOURCE, b"0123456789")
    with refused(400, "InvalidRequest"):
        await _copy(backend)
    await call(backend, "PutObject", SOURCE, b"012345678")
    await _copy(backend)


async def test_a_damaged_source(backend: Standalone, directory: Path, store: Store) -> None:
    """Is said, and not copied."""
    await call(backend, "PutObject", SOURCE, LARGE)
    ((name,),) = store.reader.execute("SELECT file FROM body")
    path = store.bodies.path(name)
    path.write_bytes(b"short")
    with refused(500, "InternalError"):
        await _copy(backend, ChecksumAlgorithm="SHA256")
    path.write_bytes(LARGE)
