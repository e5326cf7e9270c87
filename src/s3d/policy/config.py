"""Settings of the policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class OnError(StrEnum):
    """What is decided when the policy gives no answer. See `answer.failed`."""

    HOLD = "hold"
    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """Either ``policy`` or ``url`` is set."""

    policy: Path | None = None
    """A Rego file, or a directory of them."""
    url: str | None = None
    """Of a document of an OPA server: ``http://127.0.0.1:8181/v1/data/s3d``."""
    on_error: OnError = OnError.HOLD
    timeout: float = 1.0
    """Seconds that a question waits for its answer."""
    max_age: float = 1.0
    """Seconds for which an answer of the server counts for equal questions; 0: for those that are asked meanwhile."""
