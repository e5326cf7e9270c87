"""A store in memory that lists are read from, filled by the functions that writes use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import strategies as st

from s3d.local.bodies import Bodies
from s3d.local.database import Connection, Database, connect, migrate
from s3d.s3 import codec
from s3d.s3.message import S3Request, S3Response
from s3d.s3.uri import unquote
from s3d.standalone import history, list_objects, list_versions
from s3d.standalone.bucket import Bucket
from s3d.standalone.schema import MIGRATIONS
from s3d.standalone.store import Call, Members, Store
from s3d.standalone.version import COLUMNS, Version, key_bytes, key_text

HANDLERS = {
    "ListObjects": list_objects.list_objects,
    "ListObjectsV2": list_objects.list_objects_v2,
    "ListObjectVersions": list_versions.list_object_versions,
}

_PIECES = [b"a", b"b", b"ab", b"/", b"//", b"\xff", b"\xfe", "\u00fc".encode(), b"\x00", b" ", b"+", b"%2F"]
KEYS = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=5).map(b"".join)
"""With empty segments, bytes that are no UTF-8, and what encodings trip over; few enough to collide."""
PREFIXES = st.lists(st.sampled_from(_PIECES), max_size=3).map(b"".join)
DELIMITERS = st.sampled_from(
    [b"", b"", b"/", b"/", b"//", b"ab", b"a", b"\xff", b"\xff\xff", "\u00fc".encode(), b"%2F"]
)


class _NoBodies:
    """Versions here have no bytes."""

    def release(self, connection: Connection, body: int | None) -> None:
        assert body is None


class Filled:
    """One bucket, ``b``. Keys are bytes."""

    def __init__(self, versioning: str | None = None) -> None:
        self.connection = connect(Path(":memory:"))
        migrate(self.connection, MIGRATIONS)
        self.connection.execute("INSERT INTO bucket VALUES (1, 'b', 0, '', NULL)")
        self.bodies = cast("Bodies", _NoBodies())
        self.store = Store(cast("Database", SimpleNamespace(reader=self.connection)), self.bodies)
        self.versioning = versioning

    @property
    def _bucket(self) -> Bucket:
        return Bucket(1, "b", 0, "", self.versioning)

    def put(self, key: bytes, **columns: Any) -> Version:
        fields = {"modified": 0, "size": len(key), "etag": "e" * 32, "headers": "[]", **columns}
        new = Version(bucket=1, key=key, seq=0, version=None, body=None, upload=None, **fields)
        history.put(
            self.connection, self.bodies, self._bucket, new, history.current(self.connection, self._bucket, key)
        )
        return new

    def put_many(self, keys: Iterable[bytes], table: str = "object") -> None:
        """Faster, and behind the back of `history`."""
        row = (None, 0, 0, "e" * 32, None, None, "[]", None, None, None, None)
        columns, marks = (COLUMNS, "") if table == "object" else (f"{COLUMNS}, marker", ", 0")
        insert = f"INSERT INTO {table} ({columns}) VALUES (1, ?, 1{', ?' * 11}{marks})"
        self.connection.executemany(insert, ((key, *row) for key in keys))

    def delete(self, key: bytes) -> Version | None:
        return history.delete(self.connection, self.bodies, self._bucket, key, 0)

    def remove(self, key: bytes, version_id: str) -> None:
        found = history.find(self.connection, self._bucket, key, version_id)
        assert found is not None
        history.remove(self.connection, self.bodies, self._bucket, found)

    def answer(self, operation: str, **members: Any) -> S3Response:
        """What the handler says, without having waited for anything. Members that are bytes are given as text."""
        asked = {name: key_text(value) if isinstance(value, bytes) else value for name, value in members.items()}
        call = Call(S3Request("GET", operation, "b"), {"Bucket": "b", **asked})
        response: S3Response = at_once(HANDLERS[operation](self.store, call))
        return response

    def page(self, operation: str, **members: Any) -> Members:
        """The members of an answer."""
        response = self.answer(operation, **members)
        assert isinstance(response.body, bytes)
        return codec.parse_response(operation, response, response.body)

    def steps(self, work: Callable[[], object]) -> int:
        """Instructions of SQLite's machine that ``work`` takes, in hundreds."""
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        self.connection.set_progress_handler(tick, 100)
        work()
        self.connection.set_progress_handler(None, 100)
        return count


def at_once(waiting: Any) -> Any:
    """The result of a coroutine that never waits."""
    try:
        waiting.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waited")


def shown(page: Members, names: Iterable[str] = ("Contents",)) -> list[bytes]:
    """The keys and common prefixes of an answer with ``encoding-type=url``, in order."""
    keys = [key_bytes(unquote(entry["Key"])) for name in names for entry in page.get(name) or []]
    groups = [key_bytes(unquote(entry["Prefix"])) for entry in page.get("CommonPrefixes") or []]
    assert keys == sorted(keys)
    assert groups == sorted(set(groups))
    return sorted(keys + groups)


def expected(keys: Iterable[bytes], prefix: bytes, delimiter: bytes) -> Iterator[tuple[bytes, bool]]:
    """The whole list, the simplest way: keys, and common prefixes (True) in the place of theirs."""
    last = None
    for key in sorted(keys):
        if not key.startswith(prefix):
            continue
        head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, b"", b"")
        if not found:
            yield key, False
        elif prefix + head + found != last:
            last = prefix + head + found
            yield last, True
