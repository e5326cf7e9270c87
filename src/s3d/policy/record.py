"""What became of the questions."""

from __future__ import annotations

import logging
from typing import Any

from s3d.policy.answer import Answer, NoAnswer, failed
from s3d.policy.config import OnError

log = logging.getLogger("s3d.policy")

_MESSAGES = 100  # that are remembered: beyond that, a policy that makes up messages is not logged


class Record:
    """Counts, and each error in the log once until `forget`: a policy that is wrong is wrong for each request."""

    def __init__(self, on_error: OnError) -> None:
        self._on_error = on_error
        self._logged: set[str] = set()
        self.questions = self.failures = 0
        self.last_error: str | None = None

    def failed(self, error: NoAnswer, *, quiet: bool = False) -> Answer:
        """The answer to a question that has none. ``quiet``: whoever calls has logged it."""
        text = str(error)
        self.failures += 1
        self.last_error = text
        if not quiet and text not in self._logged and len(self._logged) < _MESSAGES:
            self._logged.add(text)
            log.error("the policy gives no answer", extra={"error": text, "on_error": str(self._on_error)})
        return failed(self._on_error, text)

    def forget(self) -> None:
        """The policy is another one: its errors are new."""
        self._logged.clear()
        self.last_error = None

    def document(self) -> dict[str, Any]:
        """For the status page."""
        return {"questions": self.questions, "failures": self.failures, "last_error": self.last_error}
