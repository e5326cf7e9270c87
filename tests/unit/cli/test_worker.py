"""The thread for calls that may block for ever."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from s3d.cli.worker import Worker


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
