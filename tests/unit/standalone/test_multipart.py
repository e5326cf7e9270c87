"""Creating and aborting multipart uploads, and those that nobody finishes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conformance.calling import call, refused
from unit.standalone import opened
from unit.standalone.opened import BUCKET
from unit.standalone.uploading import PART, add, begin, complete, etag

from s3d.standalone import multipart
from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.store import Store

backend, directory, store = opened.backend, opened.directory, opened.store
K = {"Bucket": BUCKET, "Key": "k"}


def _age(store: Store, *, uploads: int = 0, parts: int = 0) -> None:
    """Makes what is there so many seconds older."""
    store.database._writer.execute("UPDATE upload SET initiated = initiated - ?", (uploads,))
    store.database._writer.execute("UPDATE part SET modified = modified - ?", (parts,))


async def test_what_an_upload_says_is_the_objects(backend: Standalone) -> None:
    described = {
        "ContentType": "x/y",
        "CacheControl": "no-cache",
        "Metadata": {"a": "1"},
        "Tagging": "t=1",
        "StorageClass": "STANDARD_IA",
        "WebsiteRedirectLocation": "/else",
    }
    upload = await begin(backend, **described)
    await add(backend, upload, 1, b"x")
    await complete(backend, upload, (1, etag(b"x")))
    got = await call(backend, "GetObject", K)
    assert {name: got[name] for name in described if name != "Tagging"} == {
        name: value for name, value in described.items() if name != "Tagging"
    }
    assert (await call(backend, "GetObjectTagging", K))["TagSet"] == [{"Key": "t", "Value": "1"}]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ({}, {}),
        *(
            ({"ChecksumAlgorithm": name}, {"ChecksumAlgorithm": name, "ChecksumType": kind})
            for name, kind in [
                ("CRC32", "COMPOSITE"),
                ("CRC32C", "COMPOSITE"),
                ("SHA1", "COMPOSITE"),
                ("SHA256", "COMPOSITE"),
                ("CRC64NVME", "FULL_OBJECT"),
            ]
        ),
        ({"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}, ...),
        ({"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "FULL_OBJECT"}, ...),
        ({"ChecksumAlgorithm": "SHA256", "ChecksumType": "COMPOSITE"}, ...),
    ],
)
async def test_algorithm_and_type(backend: Standalone, asked: dict[str, str], answered: object) -> None:
    started = await call(backend, "CreateMultipartUpload", {**K, **asked})
    names = ("ChecksumAlgorithm", "ChecksumType")
    assert {name: started[name] for name in names if name in started} == (asked if answered is ... else answered)


@pytest.mark.parametrize(
    "asked",
    [
        {"ChecksumAlgorithm": "SHA1", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
        {"ChecksumAlgorithm": "CRC31"},
        {"ChecksumAlgorithm": "CRC32", "ChecksumType": "HALF"},
        {"ChecksumType": "FULL_OBJECT"},
    ],
)
async def test_a_checksum_that_there_is_not(backend: Standalone, asked: dict[str, str]) -> None:
    with refused(400, "InvalidRequest"):
        await call(backend, "CreateMultipartUpload", {**K, **asked})


async def test_ids_sort_as_uploads_were_begun(backend: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [(await begin(backend))["UploadId"] for _ in range(3)]
    monkeypatch.setattr(multipart.time, "time_ns", lambda: 10**18)  # the clock is set back
    ids.append((await begin(backend))["UploadId"])
    await call(backend, "AbortMultipartUpload", {**K, "UploadId": ids[-1]})
    ids.append((await begin(backend))["UploadId"])
    assert ids == sorted(set(ids))


async def test_a_bucket_that_is_not_there(backend: Standalone) -> None:
    with refused(404, "NoSuchBucket", elements={"BucketName": "none"}):
        await call(backend, "CreateMultipartUpload", {"Bucket": "none", "Key": "k"})


async def test_encryption_is_refused(backend: Standalone) -> None:
    with refused(501, "NotImplemented"):
        await call(backend, "CreateMultipartUpload", {**K, "ServerSideEncryption": "AES256"})


async def test_abort_leaves_nothing(backend: Standalone, directory: Path) -> None:
    upload = await begin(backend)
    await add(backend, upload, 1, PART)
    await add(backend, upload, 2, b"inline")
    await call(backend, "AbortMultipartUpload", upload)
    for operation in ("AbortMultipartUpload", "ListParts"):
        with refused(404, "NoSuchUpload", elements={"UploadId": upload["UploadId"]}):
            await call(backend, operation, upload)
    await backend.close()
    assert not list((directory / "bodies").glob("*/*"))
    await backend.open()


async def test_abort_takes_the_key_and_the_bucket_into_account(backend: Standalone) -> None:
    upload = await begin(backend)
    with refused(404, "NoSuchUpload"):
        await call(backend, "AbortMultipartUpload", {**upload, "Key": "other"})
    with refused(404, "NoSuchBucket"):
        await call(backend, "AbortMultipartUpload", {**upload, "Bucket": "none"})
    assert (await call(backend, "ListParts", upload))["Key"] == "k"


async def test_abort_only_of_what_was_begun_then(backend: Standalone) -> None:
    upload = await begin(backend)
    (listed,) = (await call(backend, "ListMultipartUploads", {"Bucket": BUCKET}))["Uploads"]
    wrong = {"IfMatchInitiatedTime": listed["Initiated"] - timedelta(seconds=1)}
    with refused(412, "PreconditionFailed", elements={"Condition": "x-amz-if-match-initiated-time"}):
        await call(backend, "AbortMultipartUpload", {**upload, **wrong})
    await call(backend, "AbortMultipartUpload", {**upload, "IfMatchInitiatedTime": listed["Initiated"]})


async def test_initiated_is_now(backend: Standalone) -> None:
    await begin(backend)
    (listed,) = (await call(backend, "ListMultipartUploads", {"Bucket": BUCKET}))["Uploads"]
    assert abs(listed["Initiated"] - datetime.now(UTC)) < timedelta(minutes=5)


async def test_abandoned_uploads_are_counted(backend: Standalone, store: Store) -> None:
    old = await begin(backend, "old")
    await add(backend, old, 1, b"12345")
    await add(backend, old, 2, b"678")
    await begin(backend, "empty")
    _age(store, uploads=100, parts=100)
    await add(backend, await begin(backend, "new"), 1, b"x")
    assert multipart.abandoned(store, 50) == (2, 8)
    assert multipart.abandoned(store, 1000) == (0, 0)
    await add(backend, old, 3, b"y")  # somebody goes on with it
    assert multipart.abandoned(store, 50) == (1, 0)


async def test_abandoned_uploads_are_reported(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    backend = Standalone(StandaloneConfig(directory, buckets=(BUCKET,)))
    caplog.set_level(logging.INFO, "s3d.standalone")
    await backend.open()
    await add(backend, await begin(backend), 1, b"12345")
    assert backend.document()["abandoned_uploads"] == {"count": 0, "bytes": 0}
    _age(backend._store, uploads=multipart.ABANDONED_AFTER, parts=multipart.ABANDONED_AFTER)
    assert not caplog.records
    await backend.close()
    await backend.open()
    assert backend.document()["abandoned_uploads"] == {"count": 1, "bytes": 5}
    (record,) = caplog.records
    assert (record.levelname, vars(record)["uploads"], vars(record)["bytes"]) == ("INFO", 1, 5)
    await backend.close()
