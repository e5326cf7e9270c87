"""How many operations are sent at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable


class Slots:
    """``most`` says how many there are now. Who waits for one gets it in the order of asking."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self.taken = 0
        """How many have one."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Inside, one is taken."""
        await self._take()
        try:
            yield
        finally:
            self._give()

    def let_in(self) -> None:
        """There may be more than before."""
        while self._waiting and self.taken < self._most():
            future = self._waiting.popleft()
            if not future.done():
                self.taken += 1
                future.set_result(None)

    async def _take(self) -> None:
        if not self._waiting and self.taken < self._most():
            self.taken += 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # it was given, and is not wanted any more
                self._give()
            raise

    def _give(self) -> None:
        self.taken -= 1
        self.let_in()
