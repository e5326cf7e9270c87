"""``s3d set`` over the reference model."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_tags_are_merged_and_printed(shell: Any) -> None:
    shell.put("k", Tagging="a=1&b=2")
    assert shell("set", "bucket/k", "--tag", "b=3", "-t", "c=x=y") == (0, "", "")
    assert shell("set", "bucket/k")[1] == "a=1\nb=3\nc=x=y\n"
    assert json.loads(shell("set", "bucket/k", "--json")[1]) == {"a": "1", "b": "3", "c": "x=y"}


def test_reset_replaces(shell: Any) -> None:
    shell.put("k", Tagging="a=1")
    assert shell("set", "bucket/k", "--reset", "--tag", "z=9")[0] == 0
    assert shell("set", "bucket/k")[1] == "z=9\n"


def test_reset_without_tags_deletes(shell: Any, backend: Any) -> None:
    shell.put("k", Tagging="a=1")
    assert shell("set", "bucket/k", "--reset")[0] == 0
    assert backend.operations()[-1] == "DeleteObjectTagging"
    assert shell("set", "bucket/k")[1] == ""


def test_a_bucket_has_tags_as_well(shell: Any, backend: Any) -> None:
    shell("set", "bucket", "--reset", "--tag", "a=1")
    assert backend.operations() == ["PutBucketTagging"]
    assert backend.requests[0].body.count(b"<Tag>") == 1


def test_a_bucket_without_tags_is_no_error(shell: Any, backend: Any) -> None:
    from s3d.s3.errors import S3Error, error_response

    backend.fail = lambda request: error_response(S3Error("NoSuchTagSet"), resource="", request_id="")
    assert shell("set", "bucket") == (0, "", "")


def test_version_id_is_sent_and_only_for_objects(shell: Any, backend: Any) -> None:
    shell.put("k")
    shell("set", "bucket/k", "--version-id", "v1")
    assert backend.requests[0].parameter("versionId") == "v1"
    assert shell("set", "bucket", "--version-id", "v1")[0] == 2


def test_nothing_is_written_when_reading_fails(shell: Any, backend: Any) -> None:
    code, _, err = shell("set", "bucket/missing", "--tag", "a=1")
    assert (code, err) == (1, "s3d: NoSuchKey: The specified key does not exist. (bucket/missing)\n")
    assert backend.operations() == ["GetObjectTagging"]


@pytest.mark.parametrize("tag", ["a", "=b"])
def test_a_tag_is_name_and_value(shell: Any, tag: str) -> None:
    assert shell("set", "bucket/k", "--tag", tag)[0] == 2
