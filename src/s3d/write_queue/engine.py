"""Pushes what the journal holds: the most urgent and oldest first, several at a time, of each key one.

    wake ──> candidates of the journal ──> a task each ──> done | put off | failed ──> wake

While the remote is away no operation is sent. One request asks for it again and again, and its first answer wakes all.
Nothing that goes wrong with one operation ends the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from s3d.local.bodies import Bodies
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.write_queue.abort import Aborter
from s3d.write_queue.away import Away
from s3d.write_queue.journal import LONGEST, Journal
from s3d.write_queue.losses import Losses
from s3d.write_queue.operation import FAILED, HELD, PENDING, PUSHING, SMALL, UPLOAD, Operation, Pushed
from s3d.write_queue.outcome import Refusal, delay, of_error
from s3d.write_queue.pace import Pace
from s3d.write_queue.push import Pusher
from s3d.write_queue.pushed_body import Bandwidth
from s3d.write_queue.rest import Rest
from s3d.write_queue.slots import Slots

log = logging.getLogger("s3d.write_queue")

_AHEAD = 64
"""Operations that are looked up at a time."""
_BEGUN_AHEAD = 4
"""One operation for so many workers."""
_AFTER_DEFECT = 60.0
"""Seconds until an operation is tried again that met a defect of ours."""
_AFTER_DISK = 1.0
"""Seconds until the journal is written again that could not be."""


class Engine:
    """Of one journal. ``workers`` operations are pushed at a time; ``limit`` says how many bytes a second there may be."""

    def __init__(
        self,
        journal: Journal,
        inner: Backend,
        bodies: Bodies,
        workers: int,
        limit: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._journal = journal
        self.pusher = Pusher(journal, inner, bodies, Bandwidth(limit))
        self.aborter = Aborter(journal, self.pusher.ask, self._may_send)
        self.away = Away(inner, self._came_or_went)
        self._workers = workers
        self._large = 1 if workers < 3 else workers // 2
        self._ahead: deque[Operation] = deque()
        self._first: deque[int] = deque()  # those that somebody waits for
        self._pushing: dict[int, tuple[Operation, asyncio.Task[None]]] = {}
        self._confirmed = 0  # of those that are being pushed: what is left is to write it down
        self._keys: set[tuple[str, bytes]] = set()  # of those that are being pushed
        self._losses = Losses()
        self._wake = asyncio.Event()
        self._changed: list[asyncio.Future[None]] = []
        self._runners: list[asyncio.Task[None]] = []
        self._paused = False
        self._stopped = False
        self._rest = Rest()
        self._slots = Slots(lambda: self._rest.workers(self._workers))
        self.pace = Pace()

    def start(self) -> None:
        """Begins to push."""
        loop = asyncio.get_running_loop()
        self._runners = [loop.create_task(self._run()), loop.create_task(self.aborter.run())]

    async def stop(self, grace: float) -> int:
        """Pushes on for up to ``grace`` seconds if the remote is there, then lets go. How many operations are left."""
        if self._runners:
            if grace > 0:
                await self.flush(grace, unless_away=True)
            self._stopped = True
            self._tell()
            tasks = [*self._runners, *(task for _, task in self._pushing.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.away.stop()
            self._runners = []
        return self._journal.waiting()

    def wake(self) -> None:
        """Something was accepted, or can be tried again."""
        self._wake.set()

    def reorder(self) -> None:
        """Something was accepted that others wait behind, or was decided anew."""
        self._ahead.clear()
        self.wake()

    def changed(self) -> None:
        """An operation has gone, or will not go by itself, or can go again."""
        self._tell()
        self.wake()

    def pause(self) -> None:
        """What is being sent goes on; nothing else begins."""
        self._paused = True
        self._tell()

    def resume(self) -> None:
        self._paused = False
        self.wake()

    async def flush(self, timeout: float | None, *, unless_away: bool = False) -> int:
        """Returns when nothing waits any more, or the time (seconds) is over. How many operations are left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self._journal.is_drained() and not self._stopped:
                    if unless_away and not self._may_send():
                        break
                    await self._change()
        return self._journal.waiting()

    async def flush_key(self, bucket: str, key: bytes, timeout: float) -> None:
        """Returns when nothing waits for the key; its operations go before all others. Raises RemoteUnreachable while the
        remote is away or the time is over, S3Error (ServiceUnavailable) if one of them failed."""
        try:
            async with asyncio.timeout(timeout):
                preferred: set[int] = set()
                while waiting := self._journal.of_key(bucket, key):
                    self._check_can_go(waiting)
                    self._prefer(waiting[0], preferred)
                    await self._change()
        except TimeoutError as error:
            message = f"What waits for this key in the write queue was not pushed within {timeout:g} s."
            raise RemoteUnreachable(message) from error

    async def uploads_known(self) -> None:
        """Returns when the journal has the ids of all uploads that were begun before at the remote."""
        await self.pusher.uploads_known()

    def document(self) -> dict[str, Any]:
        """For the status page. Sizes in bytes, times in seconds."""
        operations, size = self.pace.rate()
        waiting = self._journal.waiting()
        next_question = self.away.next_question()
        return {
            "workers": self._workers,
            "pushing": self._slots.taken,
            "paused": self._paused,
            "away": self.away.why,
            "next_probe": None if next_question is None else round(next_question, 3),
            "pushed": self.pace.operations,
            "pushed_bytes": self.pace.bytes,
            "operations_per_second": round(operations, 3),
            "bytes_per_second": round(size, 1),
            "drained_in": round(waiting / operations, 1) if operations else (0.0 if not waiting else None),
        }

    # The loop.

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            pause: float | None = 1.0
            try:
                now = time.time()
                self.aborter.wake()
                self._launch(now)
                pause = self._until_next(now)
            except Exception:
                log.exception("the write queue met a defect, and goes on")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _launch(self, now: float) -> None:
        loop = asyncio.get_running_loop()
        while self._may_send() and not self._rest.left() and self._has_worker():
            operation = self._next(now)
            if operation is None:
                return
            task = loop.create_task(self._work(operation))
            self._pushing[operation.seq] = operation, task
            self._keys.add((operation.bucket, operation.key))

    def _has_worker(self) -> bool:
        """Whether another may be begun. Some are begun before they can be sent, and what was confirmed takes no worker: so
        the disk is not waited for between two of them."""
        begun = len(self._pushing) - min(self._confirmed, self._workers)
        workers = self._rest.workers(self._workers)
        return begun < (workers if workers < self._workers else workers + max(1, workers // _BEGUN_AHEAD))

    def _next(self, now: float) -> Operation | None:
        """What is to be pushed next."""
        while self._first:
            operation = self._journal.find(self._first.popleft())
            if operation is not None and operation.state in (PENDING, PUSHING) and self._is_free(operation):
                return operation
        large = sum(operation.size > SMALL for operation, _ in self._pushing.values())
        small = True if large >= self._large else None
        for refilled in (False, True):
            while self._ahead:
                operation = self._ahead.popleft()
                if self._is_free(operation) and not (small and operation.size > SMALL):
                    return operation
            if not refilled:
                found = self._journal.runnable(now, _AHEAD + len(self._pushing), small=small)
                self._ahead.extend(found)
        return None

    def _is_free(self, operation: Operation) -> bool:
        """Whether nothing of its key is being pushed. One that was dropped may still be, and would arrive behind it."""
        return (operation.bucket, operation.key) not in self._keys

    def _prefer(self, operation: Operation, preferred: set[int]) -> None:
        """Lets it go before all others: once, and again when its time has come."""
        if operation.seq in self._pushing or operation.seq in self._first:
            return
        if operation.seq not in preferred or operation.next_attempt <= time.time():
            preferred.add(operation.seq)
            self._first.append(operation.seq)

    def _until_next(self, now: float) -> float | None:
        """Seconds until something has to be tried again; None: not before `wake`. What is due at ``now`` has begun, or
        waits for something that wakes."""
        if not self._may_send() or not self._has_worker():
            return None
        if rest := self._rest.left():
            return rest
        at = self._journal.next_attempt(now)
        return None if at is None else max(0.05, at - time.time())

    async def _work(self, operation: Operation) -> None:
        try:
            await self._attempt(operation)
        except S3Error as error:  # our own disk; what was to be written is found again
            log.error("the write queue cannot write its journal", extra={"error": error.message})
            await asyncio.sleep(_AFTER_DISK)
        except Exception:
            log.exception("pushing an operation met a defect", extra=_named(operation))
            await self._put_off_after_defect(operation)
        finally:
            del self._pushing[operation.seq]
            self._keys.discard((operation.bucket, operation.key))
            self._tell()
            self.wake()

    async def _put_off_after_defect(self, operation: Operation) -> None:
        document = Refusal("InternalError", "A defect of s3d; see its log.", 500).document()
        try:
            await self._journal.put_off(operation, document, time.time() + _AFTER_DEFECT, ambiguous=True)
        except Exception:
            log.exception("the write queue cannot write its journal")
            await asyncio.sleep(_AFTER_DISK)

    async def _attempt(self, operation: Operation) -> None:
        """One push, and what becomes of the operation. S3Error of the journal."""
        current = self._journal.find(operation.seq)
        if current is None or current.next_attempt > max(operation.next_attempt, time.time()):
            return  # dropped, or put off since it was looked up
        if not await self._journal.begin(current):
            return
        is_sent = False
        try:
            async with self._slots.one():
                if not self._may_send() or self._rest.left():
                    return
                is_sent = True
                pushed = await self.pusher.push(current)
        except RemoteUnreachable as error:
            self.away.lost(current.bucket, error.message)
            pause = self._losses.lost(current.seq)
            until = time.time() + pause if pause else 0.0
            await self._journal.put_off(current, of_error(error).document(), until, ambiguous=True)
        except Refusal as error:
            await self._refused(current, error)
        except S3Error as error:  # our own: too many open files, a disk that fails
            await self._put_off(current, of_error(error))
        else:
            self._losses.forget(current.seq)
            if pushed is None:
                return
            self._rest.succeeded()
            self._slots.let_in()
            await self._write_down(current, pushed)
        finally:
            if not is_sent:
                self._journal.not_sent(current)

    async def _write_down(self, operation: Operation, pushed: Pushed) -> None:
        """That the remote has it; meanwhile the next one may be sent. S3Error of the journal."""
        self._confirmed += 1
        self.wake()
        try:
            await self._journal.done(operation, pushed)
        finally:
            self._confirmed -= 1
        self.pace.add(operation.size)
        if operation.is_urgent:  # what it stood in the way of goes before all that was looked up
            self._ahead.clear()

    async def _refused(self, operation: Operation, error: Refusal) -> None:
        told = _named(operation) | {"code": error.code, "error": error.message}
        self._losses.forget(operation.seq)
        if error.permanent:
            log.error("an operation failed for good and is kept: see s3d queue ls --state failed", extra=told)
            await self._journal.fail(operation, error.document())
            if operation.kind == UPLOAD:
                await self._journal.forget_upload(operation)
            return
        self._rest.refused(operation.seq, error.status, error.code, error.retry_after)
        await self._put_off(operation, error)

    async def _put_off(self, operation: Operation, error: Refusal) -> None:
        told = _named(operation) | {"code": error.code, "error": error.message}
        log.warning("an operation is put off", extra=told)
        times = (operation.last_error() or {}).get(
            "times", 0
        ) + 1  # one after the other: a lost connection is none of them
        until = time.time() + min(LONGEST, max(error.retry_after, delay(times)))
        document = error.document() | {"times": times}
        await self._journal.put_off(operation, document, until, ambiguous=error.ambiguous)

    # Those who wait.

    async def _change(self) -> None:
        """Returns after the next operation has come to an end, or the remote has come or gone."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.append(future)
        self.wake()
        await future

    def _tell(self) -> None:
        changed, self._changed = self._changed, []
        for future in changed:
            if not future.done():
                future.set_result(None)

    def _check_can_go(self, waiting: list[Operation]) -> None:
        """Raises for operations that will not be pushed soon."""
        if self._stopped:
            raise RemoteUnreachable("s3d is stopping.")
        if any(operation.state == HELD for operation in waiting):
            message = "The object of this key is held back and not at the remote: let it go, export or drop it first."
            raise S3Error("ServiceUnavailable", message, headers={"Retry-After": "60"})
        failed = next((operation for operation in waiting if operation.state == FAILED), None)
        if failed is not None:
            said = failed.last_error() or {}
            message = f"An earlier change of this key failed ({said.get('code')}): retry, export or drop it first."
            raise S3Error("ServiceUnavailable", message, headers={"Retry-After": "60"})
        if self.away.why is not None:
            raise RemoteUnreachable(self.away.why)
        if self._paused:
            raise RemoteUnreachable("The write queue is paused: resume it first.")

    def _may_send(self) -> bool:
        return not self._paused and self.away.why is None

    def _came_or_went(self) -> None:
        self._ahead.clear()
        self._tell()
        self.wake()


def _named(operation: Operation) -> dict[str, object]:
    """For the log."""
    return {"bucket": operation.bucket, "operation": operation.kind, "attempts": operation.attempts + 1}
