"""The policy of a file or a directory, evaluated by a process of s3d's own.

Questions stand in line, and the process has the first few of them: it evaluates one after another. One that takes too long
gets no answer, nor does one at which two processes have ended; those behind it are asked again of the next process.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s3d.local.directory import CannotOpen
from s3d.policy.answer import Answer, NoAnswer, read
from s3d.policy.config import PolicyConfig
from s3d.policy.engine import Ended, Engine
from s3d.policy.question import Question
from s3d.policy.record import Record, log

_PAUSE = 5.0  # seconds between two starts of an engine that cannot be started
_AT_ONCE = 16  # questions that the engine has: it need not wait for the next one
_PATIENCE = 10  # time-outs of an evaluation that a question waits, for those before it and for another engine


class OwnEngine:
    """A `Policy`. Raises CannotOpen."""

    def __init__(self, path: Path, config: PolicyConfig, changed: Callable[[], None]) -> None:
        self._path = path
        self._config = config
        self._changed = changed
        self._why = f"policy {path}"
        self._record = Record(config.on_error)
        self._engine = Engine(path, config.timeout)
        self._loaded = time.time()
        self._line = asyncio.Semaphore(_AT_ONCE)
        self._replacing = asyncio.Lock()
        self._starting: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._cannot: str | None = None
        """Why no other engine could be started."""

    async def ask(self, question: Question) -> Answer:
        self._record.questions += 1
        patience = _PATIENCE * self._config.timeout
        try:
            async with asyncio.timeout(patience), self._line:
                return read(await self._evaluate(question.document()), self._why)
        except TimeoutError:
            return self._record.failed(NoAnswer(f"the policy did not come to a question within {patience:g} s"))
        except NoAnswer as error:
            return self._record.failed(error)

    async def reload(self) -> None:
        async with self._replacing:
            try:
                await self._start()
            except CannotOpen as error:
                self._record.last_error = str(error)
                log.error("the policy cannot be used, the one from before stays", extra={"error": str(error)})
                return
            self._record.forget()
        log.info("the policy was read again", extra={"policy": str(self._path)})
        self._changed()

    async def close(self) -> None:
        async with self._replacing:
            self._not_before, self._cannot = math.inf, "s3d ends"
            await self._engine.close()

    def document(self) -> dict[str, Any]:
        return {"engine": "own engine", "policy": str(self._path), "loaded": self._loaded} | self._record.document()

    async def _evaluate(self, document: dict[str, Any]) -> object:
        """Raises NoAnswer."""
        has_ended_one = False
        while True:
            if self._engine.ended:
                await self._start_again()
            try:
                return await self._engine.evaluate(document)
            except Ended as error:
                if error.begun and has_ended_one:
                    raise
                has_ended_one |= error.begun

    async def _start_again(self) -> None:
        """In a task: whoever asked may give up meanwhile, and others wait for it, too. Raises NoAnswer."""
        if self._starting is None or self._starting.done():
            self._starting = asyncio.get_running_loop().create_task(self._replace_ended())
        await asyncio.shield(self._starting)
        if self._engine.ended and self._cannot is not None:
            raise NoAnswer(self._cannot)

    async def _replace_ended(self) -> None:
        async with self._replacing:
            if self._engine.ended and time.monotonic() >= self._not_before:
                try:
                    await self._start()
                except CannotOpen as error:
                    self._not_before, self._cannot = time.monotonic() + _PAUSE, str(error)

    async def _start(self) -> None:
        """Raises CannotOpen."""
        engine = await asyncio.to_thread(Engine, self._path, self._config.timeout)
        before, self._engine, self._loaded = self._engine, engine, time.time()
        self._not_before, self._cannot = 0.0, None
        await before.close()
