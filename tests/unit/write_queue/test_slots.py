"""How many are sent at a time, and in which order they are let in."""

from __future__ import annotations

import asyncio
import contextlib

from s3d.write_queue.slots import Slots


class Workers:
    """Each takes a slot until it is told to go; ``inside`` are those that have one, in order."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.slots = Slots(lambda: self.most)
        self.inside: list[int] = []
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self._go: dict[int, asyncio.Event] = {}

    async def come(self, *numbers: int) -> None:
        for number in numbers:
            self._go[number] = asyncio.Event()
            self.tasks[number] = asyncio.get_running_loop().create_task(self._work(number))
        await self.settle()

    async def _work(self, number: int) -> None:
        async with self.slots.one():
            self.inside.append(number)
            try:
                await self._go[number].wait()
            finally:
                self.inside.remove(number)

    async def go(self, number: int) -> None:
        self._go[number].set()
        await self.settle()

    async def cancel(self, number: int) -> None:
        self.tasks[number].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.tasks[number]
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def end(self) -> None:
        for number in self.tasks:
            await self.cancel(number)


async def test_in_order() -> None:
    it = Workers(2)
    await it.come(1, 2, 3, 4)
    assert it.inside == [1, 2]
    await it.go(2)
    assert it.inside == [1, 3]
    await it.go(1)
    assert it.inside == [3, 4]
    await it.end()


async def test_fewer_and_more() -> None:
    it = Workers(3)
    await it.come(1, 2, 3, 4, 5, 6)
    it.most = 1
    await it.go(1)
    await it.go(2)
    assert it.inside == [3]
    await it.go(3)
    assert it.inside == [4]
    it.most = 3
    it.slots.let_in()
    await it.settle()
    assert it.inside == [4, 5, 6]
    await it.end()


async def test_who_goes_away_while_waiting_takes_none() -> None:
    it = Workers(1)
    await it.come(1, 2, 3)
    await it.cancel(2)
    await it.go(1)
    assert it.inside == [3]
    await it.go(3)
    await it.come(4)
    assert it.inside == [4]
    await it.end()


async def test_who_goes_away_when_it_is_let_in_gives_it_back() -> None:
    it = Workers(1)
    await it.come(1, 2, 3)
    it._go[1].set()
    await asyncio.sleep(0)  # the slot is given to 2, which has not run yet
    await it.cancel(2)
    assert it.inside == [3]
    await it.end()
