"""Why an object is pushed or held: what the same functions say that decide it, for people."""

from __future__ import annotations

from typing import Any

from s3d.filters.decide import Said, Use, kept_before, told
from s3d.filters.facts import Facts
from s3d.s3.message import S3Request
from s3d.write_queue import facts as facts_of
from s3d.write_queue.operation import HELD, PENDING
from s3d.write_queue.queue import Queue


def of_put(queue: Queue, known: Facts, said: Said | None = None) -> dict[str, Any]:
    """What would become of an object that is put now. ``room``: why it would have to wait, or be refused; None: it would
    not. Times in seconds."""
    rules = queue.decisions.rules
    decision = rules.decide(Use.UPLOAD, known, said)
    verdict = queue.decisions.verdict(known, said)
    is_held = verdict.state == HELD
    size = known.size or 0
    is_larger = size > queue.config.max_size and not is_held
    return {
        "state": "remote" if is_larger else verdict.state,
        "by": "limit" if is_larger else str(decision.by),
        "why": ["it is larger than the write queue may be"] if is_larger else rules.explain(decision, known, said),
        "priority": verdict.priority,
        "deadline": verdict.deadline,
        "room": None if is_larger else (queue.held_room if is_held else queue.room).lacks(size),
    }


def of_object(queue: Queue, request: S3Request) -> str:
    """One line: why the object that a request has made or changed is pushed or held."""
    operation = queue.content(request)
    version = queue.journal.version(operation) if operation is not None else None
    if operation is None or version is None or operation.state not in (PENDING, HELD):
        return f"upload: {operation.state if operation is not None else 'remote'}"
    known = facts_of.of_version(operation.bucket, version, queue.buckets.tags(operation.bucket))
    rules, said = queue.decisions.rules, kept_before(operation.said)
    return told(operation.state, rules.decide(Use.UPLOAD, known, said), rules.upload, known, said)
