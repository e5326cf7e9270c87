"""Uploads from a browser's form, with and without a policy. Signatures are not checked: there are no credentials."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from e2e.compatibility.form import Fields, policy, send
from e2e.compatibility.raw import Raw

pytestmark = pytest.mark.peer

USUAL: list[Any] = [
    {"acl": "private"},
    ["starts-with", "$key", "foo"],
    ["starts-with", "$Content-Type", "text/plain"],
    ["content-length-range", 0, 1024],
]


def signed(bucket: str, encoded: str, key: str = "foo.txt", more: Fields | None = None) -> Fields:
    """The fields of a form with a policy."""
    return [
        ("key", key),
        ("AWSAccessKeyId", "any"),
        ("acl", "private"),
        ("Content-Type", "text/plain"),
        *(more or []),
        ("signature", "c2lnbmF0dXJl"),
        ("policy", encoded),
    ]


def conditions(bucket: str, *more: Any) -> list[Any]:
    return [{"bucket": bucket}, *USUAL, *more]


def test_without_a_policy(s3: Any, raw: Raw, bucket: str) -> None:
    answer = send(raw, bucket, [("key", "foo.txt"), ("acl", "public-read"), ("Content-Type", "text/plain")])
    assert (answer.status, answer.body) == (204, b"")
    got = s3.get_object(Bucket=bucket, Key="foo.txt")
    assert (got["Body"].read(), got["ContentType"], got["ETag"]) == (b"bar", "text/plain", answer.headers["ETag"])
    assert len(s3.get_object_acl(Bucket=bucket, Key="foo.txt")["Grants"]) == 2


def test_without_a_content_type(s3: Any, raw: Raw, bucket: str) -> None:
    assert send(raw, bucket, [("key", "k")]).status == 204
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


def test_with_a_policy(s3: Any, raw: Raw, bucket: str) -> None:
    assert send(raw, bucket, signed(bucket, policy(conditions(bucket)))).status == 204
    assert s3.get_object(Bucket=bucket, Key="foo.txt")["Body"].read() == b"bar"


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("x", 204)])
def test_the_status_that_is_asked_for(raw: Raw, bucket: str, asked: str, status: int) -> None:
    answer = send(raw, bucket, [("key", "a b"), ("success_action_status", asked)])
    assert answer.status == status
    assert answer.headers["Location"].endswith(f"/{bucket}/a%20b")
    if status == 201:
        assert (answer.text("Key"), answer.text("Bucket"), answer.text("ETag")) == (
            "a b",
            bucket,
            answer.headers["ETag"],
        )
    else:
        assert answer.body == b""


def test_the_page_that_is_gone_to(raw: Raw, bucket: str) -> None:
    answer = send(raw, bucket, [("key", "k"), ("success_action_redirect", "http://localhost/page?a=b")])
    assert answer.status == 303
    etag = answer.headers["ETag"].strip('"')
    assert answer.headers["Location"] == f"http://localhost/page?a=b&bucket={bucket}&key=k&etag=%22{etag}%22"


def test_the_name_of_the_file(s3: Any, raw: Raw, bucket: str) -> None:
    assert send(raw, bucket, [("key", "user/${filename}")], name="foo.txt").status == 204
    assert s3.get_object(Bucket=bucket, Key="user/foo.txt")["Body"].read() == b"bar"


def test_names_of_fields_have_no_case(s3: Any, raw: Raw, bucket: str) -> None:
    assert send(raw, bucket, [("KeY", "k"), ("CoNtEnT-TyPe", "a/b"), ("X-Amz-Meta-Foo", "Bar")]).status == 204
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentType"], head["Metadata"]) == ("a/b", {"foo": "Bar"})


def test_conditions_have_no_case(raw: Raw, bucket: str) -> None:
    encoded = policy(
        [{"bUcKeT": bucket}, ["StArTs-WiTh", "$KeY", "foo"], {"AcL": "private"}, ["starts-with", "$CONTENT-Type", ""]]
    )
    assert send(raw, bucket, signed(bucket, encoded)).status == 204


def test_fields_to_be_ignored(raw: Raw, bucket: str) -> None:
    fields = signed(bucket, policy(conditions(bucket)), more=[("x-ignore-foo", "bar")])
    assert send(raw, bucket, fields).status == 204


def test_a_key_with_signs(s3: Any, raw: Raw, bucket: str) -> None:
    encoded = policy(
        [
            {"bucket": bucket},
            ["starts-with", "$key", "\\$foo"],
            {"acl": "private"},
            ["starts-with", "$Content-Type", ""],
        ]
    )
    assert send(raw, bucket, signed(bucket, encoded, key="\\$foo.txt")).status == 204
    assert s3.head_object(Bucket=bucket, Key="\\$foo.txt")


def test_a_large_file(s3: Any, raw: Raw, bucket: str) -> None:
    body = b"foo" * (1 << 20)
    assert send(raw, bucket, [("key", "k")], body).status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_an_empty_file(s3: Any, raw: Raw, bucket: str) -> None:
    assert send(raw, bucket, [("key", "k")], b"").status == 204
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 0


def test_metadata_and_tags(s3: Any, raw: Raw, bucket: str) -> None:
    tagging = "<Tagging><TagSet><Tag><Key>0</Key><Value>zero</Value></Tag></TagSet></Tagging>"
    fields = [
        ("key", "k"),
        ("x-amz-meta-foo", "barclamp"),
        ("tagging", tagging),
        ("x-amz-storage-class", "STANDARD_IA"),
    ]
    assert send(raw, bucket, fields).status == 204
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["Metadata"], head["StorageClass"]) == ({"foo": "barclamp"}, "STANDARD_IA")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "0", "Value": "zero"}]


def test_metadata_that_the_policy_wants(raw: Raw, bucket: str) -> None:
    wanted = conditions(bucket, ["eq", "$x-amz-meta-foo", "bar"])
    assert send(raw, bucket, signed(bucket, policy(wanted), more=[("x-amz-meta-foo", "bar")])).status == 204
    assert send(raw, bucket, signed(bucket, policy(wanted), more=[("x-amz-meta-foo", "no")])).status == 403
    assert send(raw, bucket, signed(bucket, policy(wanted))).status == 403


@pytest.mark.parametrize("case", ["field", "bucket", "expired", "key"])
def test_what_a_policy_forbids(raw: Raw, bucket: str, case: str) -> None:
    wanted = conditions("another" if case == "bucket" else bucket)
    encoded = policy(wanted, expires=timedelta(minutes=-10) if case == "expired" else timedelta(minutes=10))
    more = [("x-amz-meta-foo", "bar")] if case == "field" else []
    answer = send(raw, bucket, signed(bucket, encoded, key="other" if case == "key" else "foo.txt", more=more))
    assert (answer.status, answer.code) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("length_range", "code"),
    [
        (["content-length-range", 0, 2], "EntityTooLarge"),
        (["content-length-range", 512, 1000], "EntityTooSmall"),
        (["content-length-range", 0], "InvalidPolicyDocument"),
        (["content-length-range", -1, 0], "EntityTooLarge"),
    ],
)
def test_sizes(raw: Raw, bucket: str, length_range: list[Any], code: str) -> None:
    encoded = policy([{"bucket": bucket}, *USUAL[:3], length_range])
    answer = send(raw, bucket, signed(bucket, encoded))
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    "replaced",
    [
        {"expiration": None},
        {"conditions": None},
        {"expiration": None, "EXPIRATION": "2099-01-01T00:00:00Z"},
        {"conditions": None, "CONDITIONS": []},
        {"conditions": [{}]},
        {"expiration": "tomorrow"},
        {"conditions": {}},
    ],
)
def test_policies_that_are_none(raw: Raw, bucket: str, replaced: dict[str, Any]) -> None:
    answer = send(raw, bucket, signed(bucket, policy(conditions(bucket), **replaced)))
    assert (answer.status, answer.code) == (400, "InvalidPolicyDocument")


@pytest.mark.parametrize("encoded", ["not base64!", "e30=x", "bm8ganNvbg=="])
def test_policies_that_cannot_be_read(raw: Raw, bucket: str, encoded: str) -> None:
    assert send(raw, bucket, signed(bucket, encoded)).code == "InvalidPolicyDocument"


@pytest.mark.parametrize("missing", ["AWSAccessKeyId", "signature"])
def test_a_policy_comes_with_a_signature(raw: Raw, bucket: str, missing: str) -> None:
    fields = [field for field in signed(bucket, policy(conditions(bucket))) if field[0] != missing]
    answer = send(raw, bucket, fields)
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_a_form_needs_a_key(raw: Raw, bucket: str) -> None:
    assert send(raw, bucket, []).code == "InvalidArgument"
    assert send(raw, bucket, [("key", "")]).status == 400


def test_a_form_needs_a_file(raw: Raw, bucket: str) -> None:
    answer = send(raw, bucket, [("key", "k")], None)
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_a_bucket_that_is_not_there(raw: Raw) -> None:
    answer = send(raw, "no-such-bucket-at-all", [("key", "k")])
    assert (answer.status, answer.code) == (404, "NoSuchBucket")


def test_a_checksum(raw: Raw, bucket: str) -> None:
    good = "/N4rLtula/QIYB+3If6bXDONEO5CnqBPrlURto+/j7k="
    assert send(raw, bucket, [("key", "k"), ("x-amz-checksum-sha256", good)]).status == 204
    assert send(raw, bucket, [("key", "k"), ("x-amz-checksum-sha256", "A" + good[1:])]).status == 400


def test_what_boto3_presigns(s3: Any, raw: Raw, bucket: str) -> None:
    made = s3.generate_presigned_post(bucket, "dir/${filename}", Conditions=[["content-length-range", 1, 10]])
    answer = send(raw, bucket, list(made["fields"].items()), name="f.txt")
    assert answer.status == 204
    assert s3.get_object(Bucket=bucket, Key="dir/f.txt")["Body"].read() == b"bar"
