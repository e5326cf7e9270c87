"""Tags: how many, how long, of what signs; in documents and in the header."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from e2e.compatibility.failing import failure
from e2e.compatibility.raw import Raw

pytestmark = pytest.mark.peer

Tags = list[tuple[str, str]]


def tag_set(tags: Tags) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags]}


GOOD: dict[str, Tags] = {
    "one": [("Hello", "World")],
    "ten": [(str(number), str(number)) for number in range(10)],
    "long": [("k" * 128, "v" * 256)],
    "empty value": [("k", "")],
    "signs": [("a b+-=._:/@", "A z+-=._:/@9")],
    "unicode": [("ключ", "значение"), ("キー", "é")],
    "none": [],
}
BAD: dict[str, tuple[Tags, str]] = {
    "eleven": ([(str(number), "v") for number in range(11)], "BadRequest"),
    "long key": ([("k" * 129, "v")], "InvalidTag"),
    "long value": ([("k", "v" * 257)], "InvalidTag"),
    "twice": ([("k", "1"), ("k", "2")], "InvalidTag"),
    "aws:": ([("aws:x", "1")], "InvalidTag"),
    "sign in key": ([("a<b", "1")], "InvalidTag"),
    "sign in value": ([("a", "1&2")], "InvalidTag"),
}


@pytest.fixture
def at(s3: Any, bucket: str) -> dict[str, str]:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    return {"Bucket": bucket, "Key": "k"}


def tags_of(s3: Any, at: dict[str, str]) -> Tags:
    return [(tag["Key"], tag["Value"]) for tag in s3.get_object_tagging(**at)["TagSet"]]


@pytest.mark.parametrize("case", GOOD)
def test_good_tags(s3: Any, at: dict[str, str], case: str) -> None:
    s3.put_object_tagging(**at, Tagging=tag_set(GOOD[case]))
    assert sorted(tags_of(s3, at)) == sorted(GOOD[case])
    assert s3.head_object(**at).get("TagCount", 0) == len(GOOD[case])
    s3.put_object(**at, Tagging=urlencode(GOOD[case]))
    assert sorted(tags_of(s3, at)) == sorted(GOOD[case])


@pytest.mark.parametrize("case", BAD)
def test_bad_tags(s3: Any, at: dict[str, str], case: str) -> None:
    tags, code = BAD[case]
    s3.put_object_tagging(**at, Tagging=tag_set([("old", "1")]))
    assert failure(s3.put_object_tagging, **at, Tagging=tag_set(tags)) == (400, code)
    assert failure(s3.put_object, **at, Tagging=urlencode(tags))[0] == 400
    assert tags_of(s3, at) == [("old", "1")]
    bucket = at["Bucket"]
    if case != "eleven":
        assert failure(s3.put_bucket_tagging, Bucket=bucket, Tagging=tag_set(tags)) == (400, code)


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("foo=bar&bar", [("bar", ""), ("foo", "bar")]),
        ("foo=bar&bar=", [("bar", ""), ("foo", "bar")]),
        ("a=b%20c", [("a", "b c")]),
        ("a=b+c", [("a", "b c")]),
        ("a%3D=b", [("a=", "b")]),
        ("", []),
    ],
)
def test_the_header(s3: Any, raw: Raw, at: dict[str, str], header: str, tags: Tags) -> None:
    assert raw("PUT", f"/{at['Bucket']}/k", {"x-amz-tagging": header}, b"x").status == 200
    assert tags_of(s3, at) == tags


@pytest.mark.parametrize("header", ["a=1&a=2", "=x", "a=%zz", "aws:a=b"])
def test_headers_that_are_none(raw: Raw, at: dict[str, str], header: str) -> None:
    answer = raw("PUT", f"/{at['Bucket']}/k", {"x-amz-tagging": header}, b"x")
    assert (answer.status, answer.code in ("InvalidArgument", "InvalidTag")) == (400, True)


def test_tags_come_in_the_order_of_their_keys(s3: Any, at: dict[str, str]) -> None:
    s3.put_object_tagging(**at, Tagging=tag_set([("b", "1"), ("a", "2"), ("c", "3")]))
    assert tags_of(s3, at) == [("a", "2"), ("b", "1"), ("c", "3")]


def test_tags_changed_and_removed(s3: Any, at: dict[str, str]) -> None:
    s3.put_object_tagging(**at, Tagging=tag_set([("a", "1"), ("b", "2")]))
    s3.put_object_tagging(**at, Tagging=tag_set([("c", "3")]))
    assert tags_of(s3, at) == [("c", "3")]
    assert s3.delete_object_tagging(**at)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert tags_of(s3, at) == []
    before = s3.head_object(**at)["LastModified"]
    assert s3.head_object(**at)["LastModified"] == before


def test_tags_of_a_bucket(s3: Any, bucket: str) -> None:
    assert failure(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    tags = [(f"k{number:02d}", "v") for number in range(50)]
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(tags))
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tag_set(tags)["TagSet"]
    assert failure(s3.put_bucket_tagging, Bucket=bucket, Tagging=tag_set([*tags, ("more", "")]))[0] == 400
    assert s3.delete_bucket_tagging(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert failure(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")


@pytest.mark.parametrize(
    "body", [b"", b"x", b"<Tagging/>", b"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>"]
)
def test_bad_documents(raw: Raw, at: dict[str, str], body: bytes) -> None:
    answer = raw("PUT", f"/{at['Bucket']}/k?tagging", body=body)
    assert (answer.status, answer.code) == (400, "MalformedXML")
