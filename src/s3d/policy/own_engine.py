"""The policy of a file or a directory, evaluated by a process of s3d's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s3d.local.directory import CannotOpen
from s3d.policy.answer import Answer, NoAnswer, read
from s3d.policy.config import PolicyConfig
from s3d.policy.engine import Engine
from s3d.policy.question import Question
from s3d.policy.record import Record, log

_PAUSE = 5.0  # seconds between two starts of an engine that cannot be started


class OwnEngine:
    """A `Policy`. Raises CannotOpen."""

    def __init__(self, path: Path, config: PolicyConfig, changed: Callable[[], None]) -> None:
        self._path = path
        self._config = config
        self._changed = changed
        self._why = f"policy {path}"
        self._record = Record(config.on_error)
        self._engine = Engine(path)
        self._loaded = time.time()
        self._starting = asyncio.Lock()
        self._not_before = 0.0

    async def ask(self, question: Question) -> Answer:
        self._record.questions += 1
        engine = self._engine
        try:
            async with asyncio.timeout(self._config.timeout):
                if engine.ended:
                    engine = await self._started_again()
                return read(await engine.evaluate(question.document()), self._why)
        except TimeoutError:
            engine.kill()  # it cannot be interrupted; the next question starts another one
            return self._record.failed(NoAnswer(f"the policy takes longer than {self._config.timeout:g} s"))
        except NoAnswer as error:
            return self._record.failed(error)

    async def reload(self) -> None:
        async with self._starting:
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
        await self._engine.close()

    def document(self) -> dict[str, Any]:
        return {"engine": "own engine", "policy": str(self._path), "loaded": self._loaded} | self._record.document()

    async def _start(self) -> None:
        """Raises CannotOpen."""
        engine = await asyncio.to_thread(Engine, self._path)
        before, self._engine, self._loaded = self._engine, engine, time.time()
        await before.close()

    async def _started_again(self) -> Engine:
        """Raises NoAnswer."""
        async with self._starting:
            if self._engine.ended:
                if time.monotonic() < self._not_before:
                    raise NoAnswer("the engine ended")
                self._not_before = time.monotonic() + _PAUSE
                try:
                    await self._start()
                except CannotOpen as error:
                    raise NoAnswer(str(error)) from error
                self._not_before = 0.0
            return self._engine
