"""Running coroutines under signals."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from s3d.cli.errors import Failure, Interrupted
from s3d.cli.running import run, task_group


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, Interrupted), (signal.SIGINT, KeyboardInterrupt)])
def test_signals_cancel_and_let_clean_up(number: signal.Signals, error: type[BaseException]) -> None:
    cleaned = []

    async def main() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what a shell starts in the background ignores it
    try:
        with pytest.raises(error):
            run(main())
    finally:
        signal.signal(signal.SIGINT, before)
    assert cleaned == [True]


def test_the_result() -> None:
    async def main() -> int:
        return 7

    assert run(main()) == 7


async def test_the_first_failure_of_a_group_is_told() -> None:
    async def fail() -> None:
        raise Failure("this")

    async def main() -> None:
        async with task_group() as group:
            group.create_task(fail())
            await asyncio.sleep(60)

    with pytest.raises(Failure, match="this"):
        await main()


async def test_a_failure_of_the_block_ends_its_tasks() -> None:
    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        async with task_group() as group:
            tasks.append(group.create_task(asyncio.sleep(60)))
            await asyncio.sleep(0)
            raise Failure("that")

    with pytest.raises(Failure, match="that"):
        await main()
    assert tasks[0].cancelled()
