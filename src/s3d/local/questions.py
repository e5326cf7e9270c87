"""Questions about things that change while they are asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

Answer = TypeVar("Answer")


@dataclass(slots=True, eq=False)
class _Question:
    about: Hashable
    is_late: bool = True
    """It was not asked yet, or what it is about was changed since."""


class Questions:
    """To a remote that answers them as it is at some moment in between."""

    def __init__(self) -> None:
        self._asked: set[_Question] = set()

    async def ask(self, about: Hashable, question: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer, to the question asked again for as long as its subject is changed meanwhile. Raises what it
        raises."""
        asked = _Question(about)
        self._asked.add(asked)
        try:
            while asked.is_late:
                asked.is_late = False
                answer = await question()
            return answer
        finally:
            self._asked.discard(asked)

    def change(self, about: Hashable) -> None:
        """To be called before a change is sent, and when it is done: the answers that are on their way count no more."""
        for asked in self._asked:
            if asked.about == about:
                asked.is_late = True
