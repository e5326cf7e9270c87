"""A thread for calls that may block for ever: reading stdin from a person, writing stdout to a pager.

asyncio's own threads are joined when the loop ends, so that Ctrl-C would wait until the person types. This one is a
daemon thread: the process ends without it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """Runs calls one after the other in one thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: queue.SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """The future result of the call, or its exception."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._calls.put((future, call))
        return future

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            try:
                result, error = call(), None
            except BaseException as caught:  # noqa: BLE001  handed to whoever awaits the call
                result, error = None, caught
            try:
                self._loop.call_soon_threadsafe(_resolve, future, result, error)
            except RuntimeError:  # the loop was closed meanwhile: nobody waits for the answer
                return


def _resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


async def to_the_end(call: Callable[..., T], *arguments: Any) -> T:
    """As `asyncio.to_thread`, for calls that use a descriptor: who is cancelled waits for the end of the call all the same,
    so that nothing is written after the descriptor was closed and its number is another file's."""
    future = asyncio.get_running_loop().run_in_executor(None, call, *arguments)
    try:
        return await asyncio.shield(future)
    finally:
        if not future.done():
            await asyncio.wait([future])
