"""A store with something of everything in it, for tests that damage it. A test file takes the fixtures by their names."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.calling import call

from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.fsck import check

LARGE = b"0123456789" * 20_000


async def fill(directory: Path) -> None:
    """Something of everything."""
    store = Standalone(StandaloneConfig(directory, ("plain", "kept")))
    await store.open()
    enabled = {"Bucket": "kept", "VersioningConfiguration": {"Status": "Enabled"}}
    await put(store, "kept", "null", LARGE)
    await call(store, "PutBucketVersioning", enabled)
    for body in (b"one", LARGE, b"three"):
        await put(store, "kept", "key", body)
    await put(store, "kept", "null", b"with an id")
    await put(store, "kept", "deleted", b"x")
    await call(store, "DeleteObject", {"Bucket": "kept", "Key": "deleted"})
    for key, body in (("small", b"small"), ("large", LARGE + b"large"), ("empty", b"")):
        await put(store, "plain", key, body)
    await call(store, "CopyObject", {"Bucket": "plain", "Key": "copy", "CopySource": "plain/large"})
    for key, algorithm in (("composed", "SHA256"), ("whole", "CRC64NVME"), ("open", None)):
        upload = {"Bucket": "plain", "Key": key}
        asked = {"ChecksumAlgorithm": algorithm} if algorithm else {}
        created = await call(store, "CreateMultipartUpload", upload | asked)
        upload["UploadId"] = created["UploadId"]
        part = await call(store, "UploadPart", {**upload, "PartNumber": 7, **asked}, LARGE + key.encode())
        if algorithm:
            named = {name: value for name, value in part.items() if name in ("ETag", f"Checksum{algorithm}")}
            parts = {"Parts": [{**named, "PartNumber": 7}]}
            await call(store, "CompleteMultipartUpload", {**upload, "MultipartUpload": parts})
    nothing = {"Bucket": "plain", "Key": "nothing"}
    nothing["UploadId"] = (await call(store, "CreateMultipartUpload", nothing))["UploadId"]
    await call(store, "UploadPart", {**nothing, "PartNumber": 8}, b"")
    await call(store, "PutBucketTagging", {"Bucket": "plain", "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}})
    await store.close()


async def put(store: Standalone, bucket: str, key: str, body: bytes) -> None:
    await call(store, "PutObject", {"Bucket": bucket, "Key": key}, body)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fsck") / "store"
    asyncio.run(fill(directory))
    return directory


@pytest.fixture
def store(original: Path, tmp_path: Path) -> Path:
    """A store that is whole."""
    return Path(shutil.copytree(original, tmp_path / "store"))


@contextlib.contextmanager
def database(store: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(store / "store.db")) as connection, connection:
        yield connection


def found(store: Path, *, repair: bool = False) -> list[str]:
    reported: list[str] = []
    problems = check(store, reported.append, repair=repair)
    assert problems == len(reported) or repair
    return reported


def file_of(store: Path, key: str) -> Path:
    query = "SELECT file FROM body JOIN object ON object.body = body.id WHERE key = ?"
    with database(store) as connection:
        name = connection.execute(query, (key.encode(),)).fetchone()[0]
    return store / "bodies" / name[:2] / name


def files(store: Path) -> list[Path]:
    return sorted(path for path in store.rglob("*") if path.is_file() and not path.name.startswith("store.db"))
