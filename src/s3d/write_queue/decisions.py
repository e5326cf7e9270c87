"""Which objects are pushed and which are held, and which go first: the rules of `s3d.filters` for what the queue has.

held <──> pending        an object is decided when it is accepted, and again when its tags, its bucket's tags or
                         the rules have changed; what was begun is not
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from s3d.filters.decide import USUAL, Decision, Said, Urgency, Use, check_allowed, kept, kept_before
from s3d.filters.facts import Facts
from s3d.filters.rules import Rules
from s3d.local.database import Connection, Database
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.standalone.upload import Upload
from s3d.standalone.version import Version, key_bytes
from s3d.write_queue import facts
from s3d.write_queue.journal import Journal, last_seq, newest, version_of
from s3d.write_queue.known_buckets import KnownBuckets
from s3d.write_queue.operation import HELD, NO_DEADLINE, PENDING, PUT, UPLOAD, Operation

log = logging.getLogger("s3d.write_queue")

_PAGE = 256
"""Operations that are decided again in one transaction."""
_AT_ONCE = 16
"""Questions to a policy."""
_SHARE = 10.0
"""Of the time, a tenth at most goes into asking a policy about what is held."""

_TAGS_BEHIND = """
DELETE FROM operation WHERE bucket = ? AND key = ? AND seq > ? AND kind = 'tag' AND state = 'pending' AND superseded = 0
"""
"""Tags that wait for an object which is held would wait for ever, and its version has them already."""

Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an object. ``is_known`` False: it is held because something is not known."""

    state: str
    is_known: bool
    priority: int
    deadline: float | None

    @property
    def is_usual(self) -> bool:
        """Whether it comes behind all others."""
        return self.priority <= USUAL and self.deadline is None

    def due(self, accepted: float) -> float:
        """Unix seconds."""
        return NO_DEADLINE if self.deadline is None else accepted + self.deadline


USUALLY = Verdict(PENDING, True, USUAL, None)


class Decisions:
    """Of one queue. ``tags_of_bucket``: None, if they are not known."""

    def __init__(self, rules: Rules, tags_of_bucket: Callable[[str], Tags | None]) -> None:
        self.rules = rules
        self._tags_of_bucket = tags_of_bucket

    def of_version(self, bucket: str, version: Version, said: Said | None = None) -> Verdict:
        """Of a version that is stored."""
        of_bucket = self._tags_of_bucket(bucket)
        if said is None and self.rules.upload is None and not version.tags and not of_bucket:
            return USUALLY
        return self.verdict(facts.of_version(bucket, version, of_bucket), said)

    def of_request(self, request: S3Request, size: int | None) -> Verdict:
        """Of what PutObject or CreateMultipartUpload makes. Raises what is wrong with its headers."""
        of_bucket = self._tags_of_bucket(request.bucket or "")
        is_usual = self.rules.upload is None and not of_bucket and request.said is None
        if is_usual and "x-amz-tagging" not in request.headers:
            return USUALLY
        return self.verdict(facts.of_request(request, key_bytes(request.key or ""), size, of_bucket), request.said)

    async def of_copy(self, request: S3Request, source: Version) -> Verdict:
        """Of what CopyObject makes of an object that is here. Raises what is wrong with its headers, AccessDenied."""
        of_bucket = self._tags_of_bucket(request.bucket or "")
        return await self.asked(request, facts.of_copy(request, key_bytes(request.key or ""), source, of_bucket))

    async def of_upload(self, request: S3Request, upload: Upload, size: int) -> Verdict:
        """Of what CompleteMultipartUpload makes of an upload. AccessDenied."""
        bucket = request.bucket or ""
        return await self.asked(request, facts.of_upload(bucket, upload, size, self._tags_of_bucket(bucket)))

    async def of_tags(self, request: S3Request, version: Version, tags: str | None) -> Verdict:
        """Of an object that gets other tags (JSON). AccessDenied."""
        bucket = request.bucket or ""
        known = facts.of_version(bucket, replace(version, tags=tags), self._tags_of_bucket(bucket))
        return await self.asked(request, known)

    async def asked(self, request: S3Request, known: Facts) -> Verdict:
        """Of what a request makes, when that is known: the policy is asked once more, and what it says goes with the
        request. AccessDenied, if it refuses that."""
        request.said = await self.rules.ask(request.operation, known, request.source_address)
        check_allowed(request.said)
        return self.verdict(known, request.said)

    async def said_again(self, operation: Operation, version: Version) -> Said | None:
        """What the policy says now of an object that was accepted before, asked as it was then."""
        if self.rules.policy is None:
            return None
        known = facts.of_version(operation.bucket, version, self._tags_of_bucket(operation.bucket))
        name, address = operation.asked_as()
        return await self.rules.ask(name, known, address)

    def verdict(self, known: Facts, said: Said | None = None) -> Verdict:
        decision: Decision = self.rules.decide(Use.UPLOAD, known, said)
        urgency: Urgency = self.rules.urgency(known, said)
        is_known = decision.allowed is not None and not (said is not None and said.failed)
        return Verdict(PENDING if decision.allowed else HELD, is_known, urgency.priority, urgency.deadline)

    def of_delete(self, bucket: str) -> Verdict:
        """Of a delete: it is as urgent as its bucket."""
        of_bucket = self._tags_of_bucket(bucket)
        if not of_bucket:
            return USUALLY
        urgency = self.rules.urgency(Facts(bucket, "", bucket_tags=of_bucket))
        return Verdict(PENDING, True, urgency.priority, urgency.deadline)

    def back(self, connection: Connection, operation: Operation) -> None:
        """Decides again, inside a transaction, about an operation that is ``pending`` again."""
        version = version_of(connection, operation) if operation.kind in (PUT, UPLOAD) else None
        if version is not None:
            self.again(connection, operation, version)

    def again(
        self,
        connection: Connection,
        operation: Operation,
        version: Version,
        said: Said | None = None,
        asked: str | None = None,
    ) -> bool:
        """Decides again, inside a transaction, about an operation that was not begun. ``asked``: what the policy was asked,
        if it was not what is kept. Whether anything is different."""
        if not newest(connection, operation):
            return False
        if said is None and self.rules.policy is not None:
            query = "SELECT said FROM operation WHERE seq = ?"
            (text,) = connection.execute(query, (operation.seq,)).fetchone() or (None,)
            said = kept_before(text)
        elif said is not None and not said.failed:
            update = "UPDATE operation SET said = ?, asked = coalesce(?, asked) WHERE seq = ?"
            connection.execute(update, (kept(said), asked, operation.seq))
        verdict = self.of_version(operation.bucket, version, said)
        due = verdict.due(operation.accepted)
        row = (verdict.state, verdict.priority, due, not verdict.is_known, operation.seq)
        update = (
            "UPDATE operation SET state = ?1, priority = ?2, due = ?3, undecided = ?4 WHERE seq = ?5 "
            "AND state IN ('pending', 'held') AND (state, priority, due, undecided) <> (?1, ?2, ?3, ?4)"
        )
        is_changed = connection.execute(update, row).rowcount == 1
        if is_changed and verdict.state == PENDING:
            hurry(connection, operation.bucket, operation.key, verdict.priority, due)
        elif is_changed:
            connection.execute(_TAGS_BEHIND, (operation.bucket, operation.key, operation.seq))
        return is_changed


class Deciding:
    """Decides again about many."""

    def __init__(self, database: Database, journal: Journal, decisions: Decisions, settle: Callable[[], None]) -> None:
        self._database = database
        self._journal = journal
        self._decisions = decisions
        self._settle = settle
        self._lock = asyncio.Lock()

    async def again(self, bucket: str | None = None, *, only_held: bool = False) -> int:
        """About all objects that were not begun, or those of a bucket. How many are held now that were not, or are not any
        more, or go at another time. S3Error."""
        states = (HELD,) if only_held else (HELD, PENDING)
        async with self._lock:
            changed, after = 0, 0
            # Behind everything that was decided before and is not committed yet.
            last = await self._database.change(last_seq)
            while after < last and (page := self._journal.undone(bucket, states, after, _PAGE)):
                after = page[-1].seq
                changed += await self._page(page)
            if changed:
                log.info("operations of the write queue are decided anew", extra={"operations": changed})
                self._settle()
            return changed

    async def keep_up(self, buckets: KnownBuckets, pause: float) -> None:
        """For ever: looks at the tags of buckets that have held objects, when it is time, and decides again what could not
        be decided; what is held by a policy, too: it may depend on the time. ``pause``: seconds between two looks."""
        loop = asyncio.get_running_loop()
        not_before = 0.0
        while True:
            await asyncio.sleep(pause)
            try:
                for bucket in self._journal.held_buckets():
                    await buckets.look_again(bucket)
                begun = loop.time()
                all_held = self._decisions.rules.policy is not None and begun >= not_before
                for bucket in self._journal.held_buckets(undecided=not all_held):
                    await self.again(bucket, only_held=True)
                if all_held:
                    not_before = begun + _SHARE * (loop.time() - begun)
            except S3Error as error:
                log.warning("held objects could not be decided again", extra={"error": error.message})

    async def _page(self, page: list[Operation]) -> int:
        said: dict[int, Said | None] = {}

        async def ask(operation: Operation) -> None:
            version = self._journal.version(operation)
            if version is not None:
                said[operation.seq] = await self._decisions.said_again(operation, version)

        if self._decisions.rules.policy is not None:
            for first in range(0, len(page), _AT_ONCE):
                await asyncio.gather(*map(ask, page[first : first + _AT_ONCE]))

        def change(connection: Connection) -> int:
            changed = 0
            for operation in page:
                version, words = version_of(connection, operation), said.get(operation.seq)
                if version is not None and not (words is not None and words.failed):
                    changed += self._decisions.again(connection, operation, version, words)
            return changed

        return await self._database.change(change)


def hurry(connection: Connection, bucket: str, key: bytes, priority: int, due: float) -> None:
    """What is to be pushed before an urgent one of the same key is as urgent, inside a transaction."""
    update = "UPDATE operation SET priority = max(priority, ?), due = min(due, ?)"
    connection.execute(f"{update} WHERE bucket = ? AND key = ? AND superseded = 0", (priority, due, bucket, key))
