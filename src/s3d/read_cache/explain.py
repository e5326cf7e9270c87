"""Why an object is kept in the cache or not: what the same functions say that decide it, for people."""

from __future__ import annotations

from typing import Any

from s3d.filters.decide import Said, Use, told
from s3d.filters.facts import Facts
from s3d.filters.rules import Rules
from s3d.read_cache.answers import REASON
from s3d.s3.message import S3Response

WHY = "x-s3d-why"
"""A request with it asks for the reason, an answer has it."""
_OF_RULES = ("filter", "tag", "policy")


def of_object(rules: Rules, known: Facts, said: Said | None = None, *, pinned: bool = False) -> dict[str, Any]:
    """``kept`` None: that depends on what is not known. ``pinned``: by a command or a tag."""
    if pinned:
        return {"kept": True, "by": "pin", "why": ["it is pinned"]}
    if said is not None and said.pin:
        return {"kept": True, "by": "policy", "why": [f"{said.why}: pinned"]}
    decision = rules.decide(Use.CACHE, known, said)
    return {"kept": decision.allowed, "by": str(decision.by), "why": rules.explain(decision, known, said)}


def of_answer(rules: Rules, known: Facts, response: S3Response, said: Said | None, *, pinned: bool) -> str:
    """One line: why what was read is kept or not."""
    reason = response.headers.get(REASON)
    if reason is not None and reason not in _OF_RULES:
        return f"cache: not kept; by rule: {reason}"
    if pinned:
        return "cache: kept; by pin"
    if said is not None and said.pin:
        return f"cache: kept; by policy: {said.why}: pinned"
    outcome = "kept" if reason is None else "not kept"
    return told(outcome, rules.decide(Use.CACHE, known, said), rules.cache, known, said)
