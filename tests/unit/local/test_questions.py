"""Questions about what changes while they are asked."""

from __future__ import annotations

import asyncio

import pytest

from s3d.local.questions import Questions


class Remote:
    """Answers with what it has when it is asked, when it is let."""

    def __init__(self) -> None:
        self.value = 1
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        value = self.value
        await self.may_answer.wait()
        return value


async def test_an_answer_that_nothing_has_changed() -> None:
    remote = Remote()
    remote.may_answer.set()
    assert await Questions().ask("a", remote) == 1
    assert remote.asked == 1


@pytest.mark.parametrize(("about", "answer"), [("a", 2), ("b", 1)])
async def test_one_whose_subject_was_changed_is_asked_again(about: str, answer: int) -> None:
    questions, remote = Questions(), Remote()
    task = asyncio.get_running_loop().create_task(questions.ask("a", remote))
    await asyncio.sleep(0)
    questions.change(about)
    remote.value = 2
    remote.may_answer.set()
    assert await task == answer


async def test_one_that_fails_is_not_asked_again() -> None:
    questions = Questions()

    async def fails() -> None:
        questions.change("a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await questions.ask("a", fails)
