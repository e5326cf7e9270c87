"""Merging tags."""

from __future__ import annotations

from s3d.cli.tag_set import from_members, merged, to_members


def test_changes_lie_over_what_is_there() -> None:
    assert merged({"a": "1", "b": "2"}, [("b", "3"), ("c", "4")]) == {"a": "1", "b": "3", "c": "4"}


def test_of_equal_names_the_last_wins() -> None:
    assert merged({}, [("a", "1"), ("a", "2")]) == {"a": "2"}


def test_members_and_back() -> None:
    tags = {"a": "1", "b": ""}
    assert from_members(to_members(tags)) == tags
    assert from_members([{"Key": "a"}]) == {"a": ""}
