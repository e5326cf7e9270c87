"""What the cache does while its process is ended: scenarios for each row of the crash table in docs/read-cache.md."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.cache_crash.rig import Rig

from s3d.local.block_files import BLOCK
from s3d.read_cache.schema import MIGRATIONS

SMALL, LARGE = b"s" * 5000, b"".join(bytes([number]) * BLOCK for number in range(3)) + b"end"
OBJECTS = {"small": SMALL, "large": LARGE, "other": LARGE[1:], "tagged": b"t"}
"""What the remote has in the beginning."""
PART = b"p" * (2 * BLOCK)
_PIN = {"Tagging": {"TagSet": [{"Key": "s3d.cache", "Value": "pin"}]}}

Work = Callable[[Rig], Awaitable[None]]


async def _nothing(rig: Rig) -> None:
    """The cache has not been used; the remote has its objects."""


def _as_it_is(directory: Path) -> None:
    """What is prepared stays."""


@dataclass(frozen=True)
class Scenario:
    """``run`` is ended at each of its points, after ``prepare`` and what is done to the ``left`` directory."""

    run: Work
    prepare: Work = _nothing
    left: Callable[[Path], None] = _as_it_is
    fresh: bool = False
    """The cache has never been opened."""
    damaged: bool = False
    """What is left is no database."""
    config: Mapping[str, Any] = field(default_factory=dict)
    older: frozenset[str] = frozenset()
    """Keys that somebody else has changed: an answer may be an older version, for as long as that counts."""
    passes: frozenset[str] = frozenset()
    """Points that must be among those where it was ended."""


async def _cached(rig: Rig) -> None:
    """All objects are here."""
    for key in ("small", "large", "other", "tagged"):
        await rig.get(key)


async def _read(rig: Rig) -> None:
    """Cold: whole, and a range."""
    await rig.get("small")
    await rig.get("large")
    await rig.get("other", Range=f"bytes={BLOCK + 5}-{BLOCK + 9}")
    await rig.get("other", Range=f"bytes={BLOCK + 10}-{2 * BLOCK}")
    await rig.do("HeadObject", "tagged")


async def _read_again(rig: Rig) -> None:
    for key in ("small", "large", "other"):
        await rig.get(key)


async def _put(rig: Rig) -> None:
    """Replaces: a small one, a large one, and one by the other; each is read again."""
    await rig.do("PutObject", "small", SMALL + b"2")
    await rig.do("PutObject", "large", LARGE[::-1])
    await rig.get("large")
    await rig.do("PutObject", "other", SMALL, ContentType="text/x-test")
    await rig.do("PutObject", "new", LARGE + b"new")
    await rig.get("small")
    await rig.get("new")


async def _delete(rig: Rig) -> None:
    await rig.do("DeleteObject", "small")
    await rig.do("DeleteObjects", "", Delete={"Objects": [{"Key": "large"}, {"Key": "none"}]})
    await rig.do("PutObject", "large", SMALL)


async def _copy_and_tag(rig: Rig) -> None:
    await rig.do("CopyObject", "small", CopySource="plain/large")
    await rig.get("small")
    await rig.do("PutObjectTagging", "large", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    await rig.get("large")
    await rig.do("CopyObject", "large", CopySource="plain/other", MetadataDirective="REPLACE", ContentType="text/x")


async def _upload(rig: Rig) -> None:
    """The last part comes first; one upload is aborted, one is not completed."""
    for key in ("large", "aborted"):
        created = await rig.do("CreateMultipartUpload", key)
        upload = {"UploadId": created["UploadId"]}
        parts = {}
        for number, body in ((3, b"end"), (1, PART), (2, PART[::-1]), (1, PART)):
            parts[number] = (await rig.do("UploadPart", key, body, PartNumber=number, **upload))["ETag"]
        if key == "aborted":
            await rig.do("AbortMultipartUpload", key, **upload)
        else:
            document = {"Parts": [{"PartNumber": number, "ETag": parts[number]} for number in (1, 2, 3)]}
            await rig.do("CompleteMultipartUpload", key, MultipartUpload=document, **upload)
            await rig.get(key)
    created = await rig.do("CreateMultipartUpload", "other")
    await rig.do("UploadPart", "other", PART, PartNumber=1, UploadId=created["UploadId"])


async def _evict(rig: Rig) -> None:
    """There is room for one large object and some small ones."""
    for _ in range(2):
        for key in ("large", "small", "other", "tagged", "large"):
            await rig.get(key)


async def _pins(rig: Rig) -> None:
    await rig.pin("l")
    await rig.get("large")
    await rig.do("PutObjectTagging", "small", **_PIN)
    await rig.get("small")
    await rig.pin("")
    await rig.unpin("l")
    await rig.do("DeleteObjectTagging", "small")
    await rig.unpin("")


async def _purge(rig: Rig) -> None:
    await rig.cache.purge("plain", "l")
    await rig.get("large")
    await rig.cache.purge("", "")


async def _replaced(rig: Rig) -> None:
    """Somebody else changes what is here, and the cache finds out."""
    await rig.behind("PutObject", "large", LARGE[::-1])
    await rig.get("large", Range="bytes=0-9")
    await rig.behind("PutObject", "small", LARGE)
    await rig.get("small")
    await rig.behind("DeleteObject", "other")
    await rig.do("HeadObject", "tagged")


async def before_the_power_goes(rig: Rig) -> None:
    """The cache is filled, some of it by ranges."""
    await _read(rig)
    await _cached(rig)


async def while_the_power_goes(rig: Rig) -> None:
    """Something of everything."""
    for work in (_copy_and_tag, _put, _upload, _pins, _read_again, _purge, _cached, _delete):
        await work(rig)


def _damage(directory: Path) -> None:
    """The database is not one any more."""
    for name in ("cache.db-wal", "cache.db-shm"):
        (directory / name).unlink(missing_ok=True)
    (directory / "cache.db").write_bytes(b"this is no database " * 500)


def _damage_blocks(directory: Path) -> None:
    """In each file a byte of the first block is another one."""
    for path in (directory / "blocks").glob("*/*"):
        data = bytearray(path.read_bytes())
        if data:
            data[7] ^= 1
            path.write_bytes(data)


def _first_tables(directory: Path) -> None:
    """As the first version of the tables was, with the entries."""
    path, new = directory / "first.db", directory / "cache.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1; PRAGMA application_id = {0x73336420}")
        database.execute("ATTACH ? AS new", (str(new),))
        for table in ("entry", "block"):
            columns = ", ".join(name for _, name, *_ in database.execute(f"PRAGMA main.table_info({table})"))
            database.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
        database.commit()
    path.replace(new)


def _points(text: str) -> frozenset[str]:
    return frozenset(text.splitlines())


_BLOCKS = _points("before open blocks\nafter open blocks\nbefore pwrite\nin the middle of pwrite\nafter pwrite")
_ROWS = _points("before INSERT INTO entry\nbefore COMMIT\nafter COMMIT")
_ASIDE = _points("before replace cache.db\nafter replace cache.db")
_GONE = _points("before unlink blocks\nafter unlink blocks\nbefore DELETE FROM entry")

SCENARIOS: dict[str, Scenario] = {
    "cold reads": Scenario(_read, passes=_BLOCKS | _ROWS | _points("before GetObject\nafter GetObject")),
    "put": Scenario(_put, _cached, passes=_BLOCKS | _GONE | _points("before PutObject\nafter PutObject")),
    "delete": Scenario(_delete, _cached, passes=_GONE | _points("after DeleteObject\nafter DeleteObjects")),
    "copy and tag": Scenario(
        _copy_and_tag, _cached, passes=_GONE | _points("after CopyObject\nafter PutObjectTagging")
    ),
    "upload": Scenario(_upload, _cached, passes=_BLOCKS | _GONE | _points("after CompleteMultipartUpload")),
    "evict": Scenario(_evict, _nothing, config={"max_size": 250_000}, passes=_BLOCKS | _GONE),
    "pins": Scenario(
        _pins, _cached, passes=_points("before INSERT OR IGNORE\nbefore DELETE FROM pin\nbefore UPDATE entry SET")
    ),
    "purge": Scenario(_purge, _cached, passes=_GONE),
    "replaced": Scenario(
        _replaced,
        _cached,
        config={"max_age": 0.0},
        older=_points("large\nsmall\nother"),
        passes=_GONE | {"after HeadObject"},
    ),
    "damaged database": Scenario(_read, _cached, left=_damage, damaged=True, passes=_BLOCKS | _ASIDE),
    "damaged blocks": Scenario(
        _read_again, _cached, left=_damage_blocks, passes=_points("after pwrite\nafter GetObject")
    ),
    "migration": Scenario(_read_again, _cached, left=_first_tables, passes=_points("after a migration")),
    "first start": Scenario(_nothing, fresh=True, passes=_points("after a migration\nafter mkdir blocks")),
}
