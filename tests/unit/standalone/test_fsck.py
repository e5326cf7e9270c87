"""fsck finds each kind of damage and names whose it is; nothing else is reported, and repair does no harm."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import call

from s3d.local.directory import CannotOpen, DirectoryInUse, Lock
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


def test_a_whole_store(store: Path) -> None:
    before = files(store)
    assert found(store) == []
    assert found(store, repair=True) == []
    assert files(store) == before


DAMAGE = [
    (
        "DELETE FROM bucket WHERE name = 'kept'",
        r"^version null of 'null' in bucket number 2 is in a bucket that does not",
    ),
    (
        "UPDATE bucket SET versioning = NULL",
        r"^version \S+ of 'deleted' in bucket 'kept' is in a bucket whose versions",
    ),
    (
        "UPDATE object SET seq = 1 WHERE key = 'key'",
        r"^version \S+ of 'key' in bucket 'kept' is the current version, but",
    ),
    (
        "DELETE FROM object WHERE key = CAST('key' AS BLOB)",
        r"^version \S+ of 'key' in bucket 'kept' is the latest version and no delete marker, but not the current one$",
    ),
    (
        "UPDATE object SET version = NULL WHERE bucket = 2",
        r"^version null of 'null' in bucket 'kept' is there 2 times$",
    ),
    (
        "UPDATE noncurrent SET size = 5 WHERE marker",
        r"^version \S+ of 'deleted' in bucket 'kept' has bytes, but is a delete",
    ),
    (
        "UPDATE object SET body = 1 WHERE key = 'whole'",
        r"^version null of 'whole' in bucket 'plain' has both a body and",
    ),
    (
        "DELETE FROM body WHERE data = CAST('small' AS BLOB)",
        r"^version null of 'small' in bucket 'plain' has lost its body",
    ),
    (
        "UPDATE object SET size = 1 WHERE key = 'empty'",
        r"^version null of 'empty' in bucket 'plain' has 1 bytes, and no body$",
    ),
    ("UPDATE object SET size = 6 WHERE key = 'small'", r"^version null of 'small' .* has 6 bytes, and its body 5$"),
    (
        "UPDATE object SET size = 1 WHERE key = 'whole'",
        r"^version null of 'whole' .* has 1 bytes, and its parts have 200005$",
    ),
    (
        "UPDATE object SET etag = 'abc' WHERE key = 'small'",
        rf"^version null of 'small' .* has the ETag abc, and its body the MD5 {hashlib.md5(b'small').hexdigest()}$",
    ),
    (
        "UPDATE object SET etag = 'abc' WHERE key = 'empty'",
        r"^version null of 'empty' .* has the ETag abc, but no bytes$",
    ),
    ("UPDATE object SET etag = 'abc-1' WHERE key = 'whole'", r"^version null of 'whole' .* not that of its 1 parts$"),
    (
        "UPDATE object SET checksum = 'CRC64NVME:AAAAAAAAAAA=' WHERE key = 'whole'",
        r"^version null of 'whole' .* has the checksum CRC64NVME:AAAAAAAAAAA=, which is not that of its 1 parts$",
    ),
    (
        "UPDATE object SET checksum = 'SHA256:AAAA-1' WHERE key = 'composed'",
        r"^version null of 'composed' .* has the checksum SHA256:AAAA-1, which is not that of its 1 parts$",
    ),
    (
        "UPDATE object SET checksum = 'CRC64NVME:AAAAAAAAAAA=' WHERE key = 'small'",
        r"^version null of 'small' .*: its body is damaged: its bytes no longer have the CRC64NVME they had; put the",
    ),
    (
        "UPDATE object SET upload = (SELECT upload FROM object WHERE key = 'whole') WHERE key = 'composed'",
        r"^version null of 'composed' .* shares its parts with another version or upload$",
    ),
    ("UPDATE object SET headers = 'x' WHERE key = 'small'", r"^version null of 'small' .* has unreadable metadata$"),
    ("UPDATE object SET tags = '{' WHERE key = 'small'", r"^version null of 'small' .* has unreadable metadata$"),
    ("UPDATE object SET version = 'x' WHERE key = 'key'", r"^version x of 'key' .* cannot be found by its version id$"),
    (
        "UPDATE part SET size = 1 WHERE upload IN (SELECT id FROM upload)",
        r"^part 7 of upload \w+ of 'open' in .* has 1 bytes",
    ),
    (
        "UPDATE part SET etag = 'abc'",
        r"^part 7 of upload \w+ of 'open' in bucket 'plain' has the ETag abc, and its body",
    ),
    (
        "UPDATE part SET body = NULL",
        r"^part 7 of version null of 'whole' in bucket 'plain' has 200005 bytes, and no body$",
    ),
    (
        "UPDATE part SET body = 99",
        r"^part 7 of version null of 'whole' in bucket 'plain' has lost its body \(no row 99\)$",
    ),
    ("DELETE FROM upload", r"^1 parts belong to upload \d+, which is neither going on nor an object$"),
    (
        "INSERT INTO bucket_setting VALUES (9, 'cors', '{}')",
        r"^the setting 'cors' belongs to bucket 9, which does not exist$",
    ),
    ("UPDATE upload SET bucket = 9", r"^upload \w+ of 'open' in bucket number 9 is in a bucket that does not exist$"),
    ("UPDATE body SET refs = 7 WHERE refs = 2", r"^body \d+ says that 7 objects and parts have it, and 2 do$"),
    (
        "UPDATE body SET data = NULL WHERE data IS NOT NULL",
        r"^version null of 'small' .*: its body is neither in the data",
    ),
    (
        "UPDATE body SET data = CAST('smell' AS BLOB)",
        r"^version null of 'small' .*: its body is damaged: its bytes no longer",
    ),
    (
        "UPDATE object SET key = x'0aff' WHERE key = 'small'; UPDATE object SET size = 9",
        r"^version null of '\\n\\\\xff' in",
    ),
]


@pytest.mark.parametrize(("statements", "sentence"), DAMAGE, ids=[statements for statements, _ in DAMAGE])
def test_each_kind_of_damage(store: Path, statements: str, sentence: str) -> None:
    with database(store) as connection:
        for statement in statements.split("; "):
            changed = connection.execute(re.sub(r"key = '(\w+)'", r"key = CAST('\1' AS BLOB)", statement)).rowcount
            assert changed > 0
    reported = found(store)
    assert any(re.search(sentence, text) for text in reported), reported
    assert not any("\n" in text for text in reported)
    found(store, repair=True)
    found(store)


@pytest.mark.parametrize("damage", ["flipped", "short", "long", "missing"])
def test_a_damaged_body(store: Path, damage: str) -> None:
    """It is named for each that has it, with what can be done, and repair leaves it alone."""
    file = file_of(store, "large")
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({"flipped": b"?" + data[1:], "short": data[:-1], "long": data + b"?"}[damage])
    problems = found(store)
    assert [text.partition(":")[0] for text in sorted(problems)] == [
        "version null of 'copy' in bucket 'plain'",
        "version null of 'large' in bucket 'plain'",
    ]
    said = {
        "flipped": "no longer have the MD5",
        "short": "has 200004 bytes instead of 200005",
        "long": "has 200006 bytes",
    }
    for text in problems:
        assert said.get(damage, "is missing") in text
        assert file.name in text
        assert text.endswith("; put the object again or delete it")
    left = files(store)
    assert found(store, repair=True) == problems
    assert files(store) == left


def test_a_damaged_version_and_a_damaged_part(store: Path) -> None:
    with database(store) as connection:
        query = "SELECT file FROM body JOIN {} t ON t.body = body.id WHERE file IS NOT NULL AND {}"
        version, seq = connection.execute(
            "SELECT version, seq FROM noncurrent WHERE size > 1000 AND version NOT NULL"
        ).fetchone()
        names = [
            connection.execute(query.format("noncurrent", f"seq = {seq}")).fetchone()[0],
            connection.execute(query.format("part", "upload = (SELECT id FROM upload)")).fetchone()[0],
        ]
    for name in names:
        (store / "bodies" / name[:2] / name).write_bytes(b"?")
    first, second = found(store)
    assert first.startswith(f"version {version} of 'key'")
    assert first.endswith(f"; delete this version (versionId={version})")
    assert second.startswith("part 7 of upload ")
    assert second.endswith("; upload the part again or abort the upload")


def test_a_file_that_cannot_be_read(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(store, "large")
    real = Path.open

    def fails(self: Path, *args: Any) -> Any:
        if self == file:
            raise OSError(5, "Input/output error")
        return real(self, *args)

    monkeypatch.setattr(Path, "open", fails)
    assert all(f"cannot be read (the file {file.name}: Input/output error)" in text for text in found(store))
    assert len(found(store)) == 2


def test_a_file_that_belongs_to_nothing(store: Path) -> None:
    stray = store / "bodies" / "ab" / ("ab" * 16)
    stray.write_bytes(b"x")
    assert found(store) == [f"the file {stray} belongs to no object"]
    before = files(store)
    assert found(store, repair=True)[-1] == f"the file {stray} was removed"
    assert files(store) == [path for path in before if path != stray]
    assert found(store) == []


def test_what_the_next_start_removes_is_no_problem(store: Path) -> None:
    """An unfinished write, a file in the trash, a file not yet in its place."""
    (store / "incoming" / "unfinished").write_bytes(b"x")
    trash = store / "bodies" / "cd" / "cdef"
    trash.write_bytes(b"x")
    with database(store) as connection:
        connection.execute("INSERT INTO trash VALUES ('cdef')")
    file = file_of(store, "large")
    moved = file.rename(store / "incoming" / file.name)
    assert found(store) == []
    assert found(store, repair=True) == [
        f"the file {store / 'incoming' / 'unfinished'} was removed",
        f"the file {trash} was removed",
    ]
    assert moved.exists()
    with database(store) as connection:
        assert connection.execute("SELECT count(*) FROM trash").fetchone() == (0,)


def test_repair_removes_what_nothing_refers_to(store: Path) -> None:
    with database(store) as connection:
        connection.execute("DELETE FROM upload")
        connection.execute("INSERT INTO bucket_setting VALUES (9, 'cors', '{}')")
        connection.execute("UPDATE body SET refs = 9 WHERE refs = 2")
        connection.execute("INSERT INTO body (refs, size, md5, data) VALUES (1, 1, x'00', x'00')")
    assert len(found(store)) == 5
    before = len(files(store))
    reported = found(store, repair=True)
    for text in (
        "1 parts that belonged to nothing were removed",
        "1 settings of buckets that do not exist were removed",
        "now says that 2 objects and parts have it",
        "which nothing refers to, was removed",
    ):
        assert any(text in sentence for sentence in reported), reported
    assert found(store) == []
    assert len(files(store)) == before - 1


async def test_repair_gives_objects_of_a_lost_bucket_a_new_one(store: Path) -> None:
    with database(store) as connection:
        connection.execute("DELETE FROM bucket")
    reported = found(store, repair=True)
    assert "the bucket 'recovered-1' was made for objects whose bucket does not exist" in reported
    assert "the bucket 'recovered-2' was made for objects whose bucket does not exist" in reported
    assert found(store) == []
    again = Standalone(StandaloneConfig(store))
    await again.open()
    assert (await call(again, "GetObject", {"Bucket": "recovered-1", "Key": "small"}))["Body"] == b"small"
    versions = await call(again, "ListObjectVersions", {"Bucket": "recovered-2", "Prefix": "key"})
    assert len(versions["Versions"]) == 3
    await again.close()


def test_a_damaged_database(store: Path) -> None:
    data = bytearray((store / "store.db").read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    (store / "store.db").write_bytes(data)
    before = files(store)
    reported = found(store, repair=True)
    assert reported
    assert all(text.startswith(f"the database {store / 'store.db'} is damaged (") for text in reported)
    assert files(store) == before


def test_what_is_no_database(store: Path) -> None:
    (store / "store.db").write_bytes(b"no database" * 1000)
    assert found(store) == [
        f"the database {store / 'store.db'} is damaged (file is not a database): restore it, nothing was repaired"
    ]


def test_a_store_in_use(store: Path) -> None:
    lock = Lock(store)
    lock.take()
    with pytest.raises(DirectoryInUse):
        found(store)
    lock.release()
    assert found(store) == []


@pytest.mark.parametrize("name", ["", "absent"])
def test_no_store(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotOpen, match="there is no store in"):
        found(tmp_path / name)
    assert not (tmp_path / name / "store.db").exists()


def test_a_store_of_another_version(store: Path) -> None:
    with database(store) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CannotOpen, match="later version"):
        found(store)


def test_a_first_start_that_did_not_end(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    assert found(tmp_path) == []


async def test_a_store_that_was_used_with_everything(store: Path) -> None:
    """What the operations leave holds all rules: overwrite, delete, remove versions, suspend."""
    again = Standalone(StandaloneConfig(store))
    await again.open()
    suspended = {"Bucket": "kept", "VersioningConfiguration": {"Status": "Suspended"}}
    await call(again, "PutBucketVersioning", suspended)
    await put(again, "kept", "key", LARGE)
    await put(again, "kept", "null", b"")
    await call(again, "DeleteObject", {"Bucket": "kept", "Key": "key"})
    await call(again, "DeleteObject", {"Bucket": "kept", "Key": "null", "VersionId": "null"})
    await call(again, "DeleteObject", {"Bucket": "plain", "Key": "large"})
    for key in ("whole", "copy"):
        await put(again, "plain", key, b"new")
    await again.close()
    assert found(store) == []
