"""Each rule finds what breaks it and names whose it is; what the operations leave breaks none."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from conformance.calling import call
from unit.standalone import whole
from unit.standalone.whole import LARGE, database, files, found, put

from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig

original, store = whole.original, whole.store

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
        "UPDATE part SET etag = 'abc' WHERE number = 8",
        r"^part 8 of upload \w+ of 'nothing' in bucket 'plain' has the ETag abc, but no bytes$",
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


def test_repair_removes_what_nothing_refers_to(store: Path) -> None:
    with database(store) as connection:
        connection.execute("DELETE FROM upload")
        connection.execute("INSERT INTO bucket_setting VALUES (9, 'cors', '{}')")
        connection.execute("UPDATE body SET refs = 9 WHERE refs = 2")
        connection.execute("INSERT INTO body (refs, size, md5, data) VALUES (1, 1, x'00', x'00')")
    assert len(found(store)) == 6
    before = len(files(store))
    reported = found(store, repair=True)
    for text in (
        "2 parts that belonged to nothing were removed",
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
