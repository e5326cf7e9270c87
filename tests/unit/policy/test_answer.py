"""Answers are read from documents; what cannot be one is an error."""

from __future__ import annotations

from typing import Any

import pytest

from s3d.policy.answer import Answer, NoAnswer, failed, read
from s3d.policy.config import OnError


def test_an_empty_document_says_nothing() -> None:
    assert read({}, "me") == Answer("me", None, None, None, None, None, None, failed=False)


def test_each_value_is_read() -> None:
    document = {"allow": True, "upload": False, "cache": True, "sync": False, "priority": 7, "pin": True}
    assert read(document, "me") == Answer("me", True, False, True, False, 7, True)
    document = {"allow": False, "upload": True, "cache": False, "sync": True, "priority": 0, "pin": False}
    assert read(document, "me") == Answer("me", False, True, False, True, 0, False)


def test_null_says_nothing_and_other_names_are_the_policys() -> None:
    names = ("allow", "upload", "cache", "sync", "priority", "pin")
    assert read(dict.fromkeys(names) | {"helper": [1], "Upload": "x"}, "me") == Answer("me")


@pytest.mark.parametrize("name", ["allow", "upload", "cache", "sync", "pin"])
@pytest.mark.parametrize("value", ["yes", "true", 1, 0, 1.0, [], [True], {}])
def test_a_switch_is_true_or_false(name: str, value: object) -> None:
    with pytest.raises(NoAnswer, match=f"^{name} is .*, not true or false$"):
        read({name: value}, "me")


@pytest.mark.parametrize(("value", "number"), [(0, 0), (9, 9), (5.0, 5)])
def test_a_priority_is_a_whole_number(value: object, number: int) -> None:
    priority = read({"priority": value}, "me").priority
    assert priority == number
    assert type(priority) is int


@pytest.mark.parametrize("value", [10, -1, 5.5, True, "5", [5], {}, float("inf"), float("nan"), 10**400])
def test_other_priorities_are_refused(value: object) -> None:
    with pytest.raises(NoAnswer, match=r"^priority is .{1,40}, not a whole number from 0 to 9$"):
        read({"priority": value}, "me")


@pytest.mark.parametrize(
    ("document", "kind"), [(None, "null"), (True, "true"), (1, "a number"), ("x", "a string"), ([], "an array")]
)
def test_what_is_no_object_is_no_policy(document: object, kind: str) -> None:
    with pytest.raises(NoAnswer, match=f"^the policy is {kind}, not an object$"):
        read(document, "me")


@pytest.mark.parametrize(
    ("on_error", "values"),
    [
        (OnError.HOLD, {"upload": False, "cache": False}),
        (OnError.ALLOW, {}),
        (OnError.DENY, {"allow": False, "upload": False, "cache": False}),
    ],
)
def test_what_is_decided_without_an_answer(on_error: OnError, values: dict[str, Any]) -> None:
    answer = failed(on_error, "it broke")
    assert answer == Answer(f"no answer of the policy (it broke), on error: {on_error}", failed=True, **values)
