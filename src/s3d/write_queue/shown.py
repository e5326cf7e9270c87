"""Operations as people see them: JSON documents."""

from __future__ import annotations

from typing import Any

from s3d.write_queue.operation import NO_DEADLINE, Operation


def shown(operation: Operation) -> dict[str, Any]:
    """An operation as JSON. Times in Unix seconds."""
    return {
        "seq": operation.seq,
        "bucket": operation.bucket,
        "key": shown_key(operation.key),
        "operation": operation.kind,
        "state": operation.state,
        "size": operation.size,
        "accepted": round(operation.accepted, 3),
        "attempts": operation.attempts,
        "next_attempt": round(operation.next_attempt, 3) or None,
        "superseded": bool(operation.superseded),
        "priority": operation.priority,
        "deadline": round(operation.due, 3) if operation.due < NO_DEADLINE else None,
        "error": operation.last_error(),
    }


def shown_key(key: bytes) -> str:
    """A key as text; of one that is no UTF-8 the bytes are shown as \\xNN."""
    return key.decode("utf-8", "backslashreplace")
