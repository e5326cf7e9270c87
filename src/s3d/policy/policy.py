"""What every engine does."""

from __future__ import annotations

from typing import Any, Protocol

from s3d.policy.answer import Answer
from s3d.policy.question import Question


class Policy(Protocol):
    """Open one with `open.open_policy`."""

    async def ask(self, question: Question) -> Answer:
        """Raises nothing but CancelledError: an answer that says ``failed`` is one, too."""
        ...

    async def reload(self) -> None:
        """Reads the policy again. One that cannot be used is logged, and the last one stays."""
        ...

    async def close(self) -> None:
        """Releases what it holds."""
        ...

    def document(self) -> dict[str, Any]:
        """For the status page: ``engine``, ``policy`` (where it is), ``questions``, ``failures``, ``last_error``."""
        ...
