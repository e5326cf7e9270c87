"""Running a verb's coroutine: signals cancel it, so that it can clean up, and of several failures the first is told."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from s3d.cli.errors import Interrupted

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result of the coroutine. SIGINT and SIGTERM cancel it and then raise KeyboardInterrupt and Interrupted."""
    terminated = False

    async def supervised() -> T:
        nonlocal terminated
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  we are in one

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        return await main

    try:
        return asyncio.run(supervised())
    except asyncio.CancelledError:
        if terminated:
            raise Interrupted(signal.SIGTERM) from None
        raise


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup whose block raises the first failure itself instead of a group of them."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
