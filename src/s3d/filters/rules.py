"""The rules in force. They can be replaced while the daemon runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from s3d.filters.decide import Decision, Said, Urgency, Use, decide, explain, urgency
from s3d.filters.facts import Facts
from s3d.filters.match import Filters

Ask = Callable[[str, Facts, str], Awaitable[Said]]
"""Asks a policy: operation, object, address of the client. Raises nothing."""


@dataclass(slots=True)
class Rules:
    """One filter for each use; None: everything. ``policy``: None if there is none."""

    upload: Filters | None = None
    cache: Filters | None = None
    policy: Ask | None = None

    async def ask(self, operation: str, known: Facts, source_address: str = "") -> Said | None:
        """What the policy says of an object; None: there is none. ``operation``: S3's name of what is done to it."""
        return None if self.policy is None else await self.policy(operation, known, source_address)

    def replace(self, others: Rules) -> None:
        """From now on these filters are in force."""
        self.upload, self.cache = others.upload, others.cache

    def filters(self, use: Use) -> Filters | None:
        return self.upload if use is Use.UPLOAD else self.cache

    def decide(self, use: Use, facts: Facts, said: Said | None = None) -> Decision:
        """See `s3d.filters.decide.decide`."""
        return decide(use, self.filters(use), facts, said)

    def explain(self, decision: Decision, facts: Facts, said: Said | None = None) -> list[str]:
        """Lines for people."""
        return explain(decision, self.filters(decision.use), facts, said)

    def urgency(self, facts: Facts, said: Said | None = None) -> Urgency:
        return urgency(facts, said)
