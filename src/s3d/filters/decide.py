"""Whether an object is pushed or cached, and how urgent it is: the one place where that is decided. See docs/filters.md."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from s3d.filters.facts import Facts
from s3d.filters.match import Filters
from s3d.filters.units import seconds
from s3d.s3.errors import S3Error

USUAL = 5
"""The priority of what has none."""
_URGENCIES = tuple(map(str, range(10)))
_ANSWERS = {"true": True, "pin": True, "false": False}
_PRIORITY, _DEADLINE = "s3d.priority", "s3d.deadline"


class Use(StrEnum):
    """What is decided."""

    UPLOAD = "upload"
    CACHE = "cache"


_TAGS = {use: f"s3d.{use}" for use in Use}


class By(StrEnum):
    """What decided it."""

    POLICY = "policy"
    OBJECT_TAG = "object tag"
    BUCKET_TAG = "bucket tag"
    FILTER = "filter"
    DEFAULT = "default"


class Said(Protocol):
    """What a policy said of an object; None where it says nothing. ``failed``: it gave no answer, and others stand in."""

    @property
    def allow(self) -> bool | None: ...

    @property
    def upload(self) -> bool | None: ...

    @property
    def cache(self) -> bool | None: ...

    @property
    def priority(self) -> int | None: ...

    @property
    def pin(self) -> bool | None: ...

    @property
    def why(self) -> str: ...

    @property
    def failed(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Words:
    """What was said before, as it is kept: of an operation that was allowed."""

    upload: bool | None
    priority: int | None
    why: str
    failed: bool = False
    cache: bool | None = None
    pin: bool | None = None
    allow: bool | None = None


def check_allowed(*answers: Said | None) -> None:
    """Raises AccessDenied if one of a policy's answers refuses what was asked for."""
    if any(said is not None and said.allow is False for said in answers):
        raise S3Error("AccessDenied", "The policy refuses this request.")


def kept(said: Said | None) -> str | None:
    """What a policy said of an object, as text."""
    if said is None:
        return None
    return json.dumps([said.upload, said.priority, said.why, said.failed, said.cache, said.pin])


def kept_before(text: str | None) -> Said | None:
    """The reverse of `kept`."""
    return None if text is None else Words(*json.loads(text))


@dataclass(frozen=True, slots=True)
class Decision:
    """``allowed`` None: not without what is not known."""

    use: Use
    allowed: bool | None
    by: By


_DECISIONS = {key: Decision(*key) for key in itertools.product(Use, (True, False, None), By)}
"""All that there are: making one costs as much as a filter."""


@dataclass(frozen=True, slots=True)
class Urgency:
    """``priority``: 0 to 9, 9 goes first. ``deadline``: seconds after the acceptance; None: there is none."""

    priority: int = USUAL
    deadline: float | None = None


def decide(use: Use, filters: Filters | None, facts: Facts, said: Said | None = None) -> Decision:
    """The first that says something: the policy, the object's tag, its bucket's, the filter."""
    if said is not None:
        word = said.upload if use is Use.UPLOAD else said.cache
        if word is not None:
            return _DECISIONS[use, word, By.POLICY]
    for tags, by in ((facts.tags, By.OBJECT_TAG), (facts.bucket_tags, By.BUCKET_TAG)):
        if tags and (word := _word(use, tags)) is not None:
            return _DECISIONS[use, word, by]
    if filters is None or not filters.filters:
        return _DECISIONS[use, True, By.DEFAULT]
    return _DECISIONS[use, filters.matches(facts), By.FILTER]


def _word(use: Use, tags: Mapping[str, str]) -> bool | None:
    """What a tag says, if it is one of those that say something."""
    word = tags.get(_TAGS[use])
    return None if word is None or (word == "pin" and use is not Use.CACHE) else _ANSWERS.get(word)


def urgency(facts: Facts, said: Said | None = None) -> Urgency:
    """As the policy says, else the object's tags, else its bucket's."""
    priority = said.priority if said is not None else None
    deadline = None
    for tags in (facts.tags or {}, facts.bucket_tags or {}):
        if priority is None and tags.get(_PRIORITY) in _URGENCIES:
            priority = int(tags[_PRIORITY])
        if deadline is None and _DEADLINE in tags:
            deadline = seconds(tags[_DEADLINE])
    return Urgency(USUAL if priority is None else priority, deadline)


def told(outcome: str, decision: Decision, filters: Filters | None, facts: Facts, said: Said | None = None) -> str:
    """The value of ``x-s3d-why``: printable ASCII."""
    text = f"{decision.use}: {outcome}; by {decision.by}: {'; '.join(explain(decision, filters, facts, said))}"
    return "".join(c if c.isascii() and c.isprintable() else ascii(c)[1:-1] for c in text)


def explain(decision: Decision, filters: Filters | None, facts: Facts, said: Said | None = None) -> list[str]:
    """Why, in lines for people."""
    if decision.by is By.POLICY and said is not None:
        return [said.why]
    if decision.by is By.OBJECT_TAG or decision.by is By.BUCKET_TAG:
        tags = (facts.tags if decision.by is By.OBJECT_TAG else facts.bucket_tags) or {}
        name = _TAGS[decision.use]
        return [f"{decision.by} {name}={tags[name]}"]
    if decision.by is By.DEFAULT or filters is None:
        return ["there is no filter"]
    lines = []
    for reason in filters.explained(facts):
        if reason.matches:
            lines.append(f"{reason.filter} fits")
        elif reason.matches is None:
            lines.append(f"{reason.filter} depends on what is not known: {reason.misses}")
        else:
            lines.append(f"{reason.filter} does not fit: {reason.misses}")
    return lines
