"""What a policy says, read from the document that it made."""

from __future__ import annotations

from dataclasses import dataclass

from s3d.policy.config import OnError

_SWITCHES = ("allow", "upload", "cache", "sync")


class NoAnswer(Exception):
    """The policy gave no answer that can be used. The text says why, without anything that is of one question only."""


@dataclass(frozen=True, slots=True)
class Answer:
    """None: the policy does not say."""

    why: str
    """Who said so, or the error: for people."""
    allow: bool | None = None
    """Whether the operation is carried out."""
    upload: bool | None = None
    cache: bool | None = None
    sync: bool | None = None
    priority: int | None = None
    """0 to 9."""
    pin: bool | None = None
    failed: bool = False
    """The policy gave no answer, these are the values of `OnError`."""


def read(document: object, why: str) -> Answer:
    """The answer in a document; other names in it are the policy's own. Raises NoAnswer if a value has the wrong type."""
    if not isinstance(document, dict):
        raise NoAnswer(f"the policy is {_kind(document)}, not an object")
    allow, upload, cache, sync = (_switch(document, name) for name in _SWITCHES)
    return Answer(why, allow, upload, cache, sync, _priority(document.get("priority")), _switch(document, "pin"))


def failed(on_error: OnError, error: str) -> Answer:
    """The answer where there is none."""
    why = f"no answer of the policy ({error}), on error: {on_error}"
    match on_error:
        case OnError.HOLD:
            return Answer(why, upload=False, cache=False, failed=True)
        case OnError.DENY:
            return Answer(why, allow=False, upload=False, cache=False, failed=True)
        case OnError.ALLOW:
            return Answer(why, failed=True)


def _switch(document: dict[str, object], name: str) -> bool | None:
    value = document.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise NoAnswer(f"{name} is {_kind(value)}, not true or false")


def _priority(value: object) -> int | None:
    """Rego has one kind of number: 5 may come as 5.0."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value in range(10):
        return int(value)
    kind = f"{value:g}" if isinstance(value, float) else str(value) if type(value) is int else _kind(value)
    raise NoAnswer(f"priority is {kind[:40]}, not a whole number from 0 to 9")


def _kind(value: object) -> str:
    """JSON's word for a value. (Not the value: it may be of one object, and this is logged once.)"""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
