"""What the queue says of itself, of a bucket and of a key: JSON documents. Sizes in bytes, ages in seconds, times in Unix
seconds."""

from __future__ import annotations

import time
from typing import Any

from s3d.standalone import multipart
from s3d.standalone.store import Store
from s3d.standalone.version import key_bytes
from s3d.write_queue.journal import COLUMNS
from s3d.write_queue.ledger import Entry, Ledger
from s3d.write_queue.operation import DELETE, PENDING, PUSHING, Operation
from s3d.write_queue.queue import Queue
from s3d.write_queue.shown import shown, shown_key

_SHOWN = 100
"""Operations of a key that are shown; more of them are counted."""
_OLDEST = f"SELECT {COLUMNS} FROM operation WHERE state IN ('pending', 'pushing') ORDER BY seq LIMIT 1"
_OF_KEY = f"SELECT {COLUMNS} FROM operation WHERE bucket = ? AND key = ? ORDER BY seq LIMIT ?"
_COUNT = "SELECT count(*) FROM operation WHERE bucket = ? AND key = ?"
_OF_BUCKET = "SELECT state, count(*), sum(size), min(accepted) FROM operation WHERE bucket = ? GROUP BY state"
_KNOWN = "SELECT versioning, asked FROM known_bucket WHERE name = ?"


def of_queue(queue: Queue, superseded: int) -> dict[str, Any]:
    """All of it. ``superseded``: how many operations need not be pushed any more."""
    journal, config = queue.journal, queue.config
    size, files = journal.usage()
    states, oldest = journal.totals(), _oldest(queue.store)
    return {
        "directory": str(config.directory),
        "states": states,
        "waiting": _waiting(states),
        "oldest_age": _age(oldest.accepted if oldest else None),
        "oldest": shown(oldest) if oldest else None,
        "bytes": size,
        "files": files,
        "max_bytes": config.max_size,
        "max_files": config.max_files,
        "max_held_bytes": config.held_size,
        "max_held_files": config.held_files,
        "abandoned_uploads": multipart.abandoned(queue.store, multipart.ABANDONED_AFTER)[0],
        "superseded": superseded,
        "engine": queue.engine.document(),
    }


def of_bucket(queue: Queue, bucket: str) -> dict[str, Any]:
    """What waits in it, and what is known of it. ``versioning`` None: not known; ``asked`` None: the remote never was."""
    reader = queue.store.reader
    rows = reader.execute(_OF_BUCKET, (bucket,)).fetchall() if bucket.isascii() else []
    known = reader.execute(_KNOWN, (bucket,)).fetchone() if bucket.isascii() else None
    versioning, asked = known or (None, 0.0)
    states = {state: {"count": count, "bytes": size} for state, count, size, _ in rows}
    return {
        "bucket": shown_key(key_bytes(bucket)),
        "known": known is not None,
        "versioning": "never" if versioning == "" else versioning,
        "asked": round(asked, 3) or None,
        "states": states,
        "waiting": _waiting(states),
        "oldest_age": _age(min((row[3] for row in rows if row[0] in (PENDING, PUSHING)), default=None)),
    }


def of_key(queue: Queue, ledger: Ledger, bucket: str, key: str) -> dict[str, Any]:
    """``state``: that of the operation that decides what the key is (pending, pushing, failed, held); ``remote``: nothing
    waits, and it was pushed; ``unknown``: nothing of it is here, only the remote knows. ``deleted``: the last that is known
    is a delete. ``operations``: the first hundred, oldest first, of ``count``."""
    raw, reader, named = key_bytes(key), queue.store.reader, shown_key(key_bytes(bucket))
    bucket = bucket if bucket.isascii() else ""  # no bucket has such a name, and SQLite takes no lone surrogates
    deciding = queue.journal.content(bucket, raw) or queue.journal.tags(bucket, raw)
    operations = [Operation(*row) for row in reader.execute(_OF_KEY, (bucket, raw, _SHOWN))]
    last = ledger.last(bucket, raw)
    decided = deciding or last
    return {
        "bucket": named,
        "key": shown_key(raw),
        "state": deciding.state if deciding else "remote" if last else "unknown",
        "deleted": decided is not None and decided.kind == DELETE,
        "operations": [shown(operation) for operation in operations],
        "count": reader.execute(_COUNT, (bucket, raw)).fetchone()[0],
        "last_pushed": _pushed(last) if last else None,
    }


def _oldest(store: Store) -> Operation | None:
    row = store.reader.execute(_OLDEST).fetchone()
    return Operation(*row) if row else None


def _pushed(entry: Entry) -> dict[str, Any]:
    return {
        "operation": entry.kind,
        "at": round(entry.pushed, 3),
        "size": entry.size,
        "etag": entry.etag,
        "checksum": entry.checksum,
        "version_id": entry.version_id,
    }


def _waiting(states: dict[str, dict[str, int]]) -> int:
    return sum(states.get(state, {}).get("count", 0) for state in (PENDING, PUSHING))


def _age(accepted: float | None) -> float | None:
    return None if accepted is None else round(max(0.0, time.time() - accepted), 3)
