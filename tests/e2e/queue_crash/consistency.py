"""Whether the directory of a queue is consistent: what must hold after each end of the process, and when nothing waits."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from s3d.local import examine
from s3d.standalone import invariants
from s3d.write_queue.schema import MIGRATIONS

_VERSIONS = "SELECT bucket, key, seq FROM object UNION ALL SELECT bucket, key, seq FROM noncurrent"
_RULES = {
    "an operation whose version is not there": f"""
        SELECT seq FROM operation AS o WHERE version IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ({_VERSIONS}) AS v
        WHERE v.seq = o.version AND v.key = o.key AND v.bucket = (SELECT id FROM bucket WHERE name = o.bucket))""",
    "a version that no operation pushes": f"""
        SELECT CAST(key AS TEXT) FROM ({_VERSIONS}) AS v WHERE NOT EXISTS (SELECT 1 FROM operation AS o
        WHERE v.seq = o.version AND v.key = o.key AND v.bucket = (SELECT id FROM bucket WHERE name = o.bucket))""",
    "a pushed part of no operation": "SELECT number FROM pushed_part WHERE operation NOT IN (SELECT seq FROM operation)",
    "an operation that is blocked, or not, against the order of its key": """
        SELECT seq FROM operation AS o WHERE blocked != EXISTS (SELECT 1 FROM operation AS older
        WHERE older.bucket = o.bucket AND older.key = o.key AND older.superseded = 0 AND older.seq < o.seq)""",
    "an upload without its request": "SELECT id FROM upload WHERE id NOT IN (SELECT upload FROM upload_request)",
    "an operation that is in the ledger": "SELECT seq FROM operation WHERE seq IN (SELECT seq FROM ledger)",
    "a usage that is not that of the bodies": """
        SELECT bytes, (SELECT coalesce(sum(size), 0) FROM body) FROM usage
        WHERE bytes != (SELECT coalesce(sum(size), 0) FROM body)""",
    "a usage that is not that of the operations": """
        SELECT files, (SELECT count(*) FROM operation WHERE kind IN ('put', 'upload')) FROM usage
        WHERE files != (SELECT count(*) FROM operation WHERE kind IN ('put', 'upload'))""",
    "a body whose references are miscounted": """
        SELECT id, refs FROM body WHERE refs != (SELECT count(*) FROM (SELECT body FROM object
        UNION ALL SELECT body FROM noncurrent UNION ALL SELECT body FROM part) AS r WHERE r.body = body.id)""",
}
_BODIES = "SELECT size, md5, file, data FROM body"
_DRAINED = ("operation", "pushed_part", "abandoned_upload", "object", "noncurrent", "trash")


def problems(directory: Path) -> Iterator[str]:
    """Of one that no process uses, also before it is started again."""
    path = directory / "queue.db"
    if not path.exists() or not _has_tables(path):
        return
    with examine.database(path, len(MIGRATIONS)) as connection:
        invariants.prepare(connection)
        yield from invariants.problems(connection)
        for name, query in _RULES.items():
            for row in connection.execute(query):
                yield f"{name}: {row}"
        for row in connection.execute(_BODIES):
            if (text := examine.damage(directory, row, [])) is not None:
                yield f"a body {text}"
        yield from (f"{stray.name} belongs to nothing" for stray in examine.strays(directory, connection))


def leftovers(directory: Path, *, uploads: bool) -> Iterator[str]:
    """What is left although everything was pushed; with ``uploads`` some may go on."""
    yield from problems(directory)
    with examine.database(directory / "queue.db", len(MIGRATIONS)) as connection:
        for table in _DRAINED if uploads else (*_DRAINED, "body", "part", "upload", "upload_request"):
            for row in connection.execute(f"SELECT * FROM {table}"):
                yield f"left in {table}: {str(row)[:200]}"
        kept = {file for (file,) in connection.execute("SELECT file FROM body")}
    for path in [*(directory / "incoming").iterdir(), *(directory / "bodies").glob("*/*")]:
        if path.name not in kept:
            yield f"{path.relative_to(directory)} belongs to nothing"


def remote_uploads(directory: Path) -> set[str]:
    """UploadIds of the remote that the queue knows."""
    path = directory / "queue.db"
    if not path.exists() or not _has_tables(path):
        return set()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        query = (
            "SELECT remote_upload FROM operation WHERE remote_upload IS NOT NULL "
            "UNION ALL SELECT upload_id FROM abandoned_upload"
        )
        return {upload_id for (upload_id,) in connection.execute(query)}


def _has_tables(path: Path) -> bool:
    """All of them; else the first start ended before it had made them."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS))
