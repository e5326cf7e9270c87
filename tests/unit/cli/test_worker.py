"""The thread for calls that may block for ever."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from s3d.cli.worker import Worker, to_the_end


async def test_results_and_exceptions_come_back_in_order() -> None:
    worker = Worker()
    seen: list[int] = []
    futures = [worker.submit(lambda number=number: seen.append(number) or number * 2) for number in range(5)]
    assert await asyncio.gather(*futures) == [0, 2, 4, 6, 8]
    assert seen == [0, 1, 2, 3, 4]
    with pytest.raises(ZeroDivisionError):
        await worker.submit(lambda: 1 // 0)


def test_the_loop_ends_while_a_call_blocks() -> None:
    read, write = os.pipe()

    async def main() -> None:
        future = Worker().submit(lambda: os.read(read, 1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await future

    asyncio.run(main())
    assert threading.active_count() >= 2  # still blocked, and nobody waited for it
    os.close(write)


async def test_who_is_cancelled_waits_for_the_end_of_the_call() -> None:
    begun, go_on = threading.Event(), threading.Event()
    ended: list[int] = []

    def call(number: int) -> None:
        begun.set()
        go_on.wait(10)
        ended.append(number)

    task = asyncio.get_running_loop().create_task(to_the_end(call, 7))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [7]


async def test_what_the_call_gives_or_raises() -> None:
    assert await to_the_end(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await to_the_end(divmod, 7, 0)
