"""Taking operations out of the queue as files, so that nothing in it depends on the remote taking it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3d.local.bodies import Bodies
from s3d.local.directory import sync, sync_directory
from s3d.standalone.stored_body import StoredBody
from s3d.standalone.version import Version, key_text
from s3d.write_queue.journal import Journal
from s3d.write_queue.operation import TAG, Operation


async def export(journal: Journal, bodies: Bodies, operations: Sequence[Operation], directory: Path) -> int:
    """Writes of each ``NAME.json``, what is to be done, and of an object ``NAME.body``, its bytes. NAME is new and random:
    keys are in the document only, and nothing is overwritten. How many were written, and are on the disk; what was pushed
    or dropped meanwhile is not among them. OSError."""
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    written = 0
    for operation in operations:
        version = journal.version(operation)
        if journal.find(operation.seq) is None or (version is None and operation.kind != TAG):
            continue
        name = f"{operation.seq}-{secrets.token_hex(8)}"
        if version is not None and not version.marker:
            await _write_body(journal, bodies, version, directory / f"{name}.body")
        text = json.dumps(_document(operation, version), indent=2) + "\n"
        await asyncio.to_thread(_write_text, directory / f"{name}.json", text)
        written += 1
    await asyncio.to_thread(sync_directory, directory)
    return written


async def _write_body(journal: Journal, bodies: Bodies, version: Version, path: Path) -> None:
    content = bodies.read(journal.segments(version), 0, version.size)
    with path.open("xb") as file:
        async with StoredBody(content, version.size) as body:
            async for piece in body:
                await asyncio.to_thread(file.write, piece)
        file.flush()
        await asyncio.to_thread(sync, file.fileno())


def _write_text(path: Path, text: str) -> None:
    with path.open("x") as file:
        file.write(text)
        file.flush()
        sync(file.fileno())


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
