"""Taking operations out of the queue as files, so that nothing in it depends on the remote taking it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3d.local.bodies import Bodies
from s3d.standalone.stored_body import StoredBody
from s3d.standalone.version import Version, key_text
from s3d.write_queue.journal import Journal
from s3d.write_queue.operation import Operation


async def export(journal: Journal, bodies: Bodies, operations: Sequence[Operation], directory: Path) -> int:
    """Writes of each ``SEQ.json``, what is to be done, and of an object ``SEQ.body``, its bytes. Keys are in the document
    only: none becomes a path. How many were written. OSError."""
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    for operation in operations:
        version = journal.version(operation)
        if version is not None and not version.marker:
            await _write_body(journal, bodies, version, directory / f"{operation.seq}.body")
        text = json.dumps(_document(operation, version), indent=2) + "\n"
        await asyncio.to_thread((directory / f"{operation.seq}.json").write_text, text)
    return len(operations)


async def _write_body(journal: Journal, bodies: Bodies, version: Version, path: Path) -> None:
    content = bodies.read(journal.segments(version), 0, version.size)
    with path.open("wb") as file:
        async with StoredBody(content, version.size) as body:
            async for piece in body:
                await asyncio.to_thread(file.write, piece)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())


def _document(operation: Operation, version: Version | None) -> dict[str, Any]:
    return {
        "operation": operation.kind,
        "bucket": operation.bucket,
        "key": key_text(operation.key).encode("utf-8", "backslashreplace").decode(),
        "key_hex": operation.key.hex(),
        "state": operation.state,
        "accepted": operation.accepted,
        "size": operation.size,
        "etag": version.etag if version is not None and not version.marker else None,
        "headers": operation.header_list(),
        "tags": version.tag_set() if version is not None else operation.tag_set(),
        "error": operation.last_error(),
    }
