"""CopyObject."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from e2e.compatibility.failing import failure
from e2e.compatibility.raw import Raw

pytestmark = pytest.mark.peer


@pytest.fixture
def source(s3: Any, bucket: str) -> dict[str, str]:
    s3.put_object(Bucket=bucket, Key="from", Body=b"foo", ContentType="text/bla", Metadata={"a": "b"}, Tagging="t=1")
    return {"Bucket": bucket, "Key": "from"}


def test_an_empty_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from")
    s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/from")
    assert s3.get_object(Bucket=bucket, Key="to")["ContentLength"] == 0


def test_16_mib(s3: Any, bucket: str) -> None:
    body = bytes(range(256)) * 65536
    s3.put_object(Bucket=bucket, Key="from", Body=body)
    s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/from")
    assert s3.get_object(Bucket=bucket, Key="to")["Body"].read() == body


def test_what_is_kept(s3: Any, source: dict[str, str], new_bucket_name: Callable[[], str]) -> None:
    other = new_bucket_name()
    s3.create_bucket(Bucket=other)
    answer = s3.copy_object(Bucket=other, Key="to", CopySource=source)
    head = s3.head_object(Bucket=other, Key="to")
    assert (head["ContentType"], head["Metadata"]) == ("text/bla", {"a": "b"})
    assert head["ETag"] == answer["CopyObjectResult"]["ETag"]
    assert head["LastModified"] == answer["CopyObjectResult"]["LastModified"]
    assert s3.get_object_tagging(Bucket=other, Key="to")["TagSet"] == [{"Key": "t", "Value": "1"}]


def test_what_is_replaced(s3: Any, source: dict[str, str]) -> None:
    to = {"Bucket": source["Bucket"], "Key": "to"}
    s3.copy_object(**to, CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "d"}, ContentType="audio/ogg")
    head = s3.head_object(**to)
    assert (head["ContentType"], head["Metadata"]) == ("audio/ogg", {"c": "d"})
    s3.copy_object(**to, CopySource=source, TaggingDirective="REPLACE", Tagging="x=y")
    assert s3.get_object_tagging(**to)["TagSet"] == [{"Key": "x", "Value": "y"}]
    s3.copy_object(**to, CopySource=source, TaggingDirective="REPLACE")
    assert s3.get_object_tagging(**to)["TagSet"] == []
    s3.copy_object(**to, CopySource=source, Metadata={"ignored": "x"}, ContentType="x/y")
    assert s3.head_object(**to)["Metadata"] == {"a": "b"}


def test_onto_itself(s3: Any, source: dict[str, str]) -> None:
    assert failure(s3.copy_object, **source, CopySource=source) == (400, "InvalidRequest")
    for change in ({"MetadataDirective": "REPLACE", "Metadata": {"foo": "bar"}}, {"StorageClass": "STANDARD_IA"}):
        s3.copy_object(**source, CopySource=source, **change)
        assert s3.get_object(**source)["Body"].read() == b"foo"
    assert s3.head_object(**source)["Metadata"] == {"foo": "bar"}


def test_directives_that_do_not_exist(s3: Any, source: dict[str, str]) -> None:
    to = {"Bucket": source["Bucket"], "Key": "to", "CopySource": source}
    assert failure(s3.copy_object, **to, MetadataDirective="INVALID") == (400, "InvalidArgument")
    assert failure(s3.copy_object, **to, TaggingDirective="INVALID") == (400, "InvalidArgument")


def test_an_acl_is_not_copied(s3: Any, source: dict[str, str]) -> None:
    to = {"Bucket": source["Bucket"], "Key": "to"}
    s3.put_object_acl(**source, ACL="public-read")
    s3.copy_object(**to, CopySource=source)
    assert len(s3.get_object_acl(**to)["Grants"]) == 1
    s3.copy_object(**to, CopySource=source, ACL="public-read")
    assert len(s3.get_object_acl(**to)["Grants"]) == 2


def test_sources_that_are_not_there(s3: Any, source: dict[str, str], new_bucket_name: Callable[[], str]) -> None:
    to = {"Bucket": source["Bucket"], "Key": "to"}
    missing = {"Bucket": new_bucket_name(), "Key": "from"}
    assert failure(s3.copy_object, **to, CopySource=missing) == (404, "NoSuchBucket")
    assert failure(s3.copy_object, **to, CopySource={**source, "Key": "missing"}) == (404, "NoSuchKey")
    assert failure(s3.copy_object, **to, CopySource={**source, "VersionId": "null-ish"})[0] == 400
    assert failure(s3.copy_object, Bucket=missing["Bucket"], Key="to", CopySource=source) == (404, "NoSuchBucket")


@pytest.mark.parametrize("text", ["", "bucket", "/", "/bucket/", "bucket/", "bucket/%zz"])
def test_sources_that_are_none(raw: Raw, bucket: str, text: str) -> None:
    answer = raw("PUT", f"/{bucket}/to", {"x-amz-copy-source": text})
    assert (answer.status, answer.code) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("a b", "a%20b"),
        ("a b", "a b"),
        ("a+b", "a%2Bb"),
        ("a+b", "a+b"),
        ("?x=1", "%3Fx%3D1"),
        ("é", "%C3%A9"),
        ("é", "é"),
        ("%41", "%2541"),
        ("a/b//c", "a/b//c"),
        ("a/b", "a%2Fb"),
        ("x?versionId=1", "x%3FversionId%3D1"),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_how_a_source_is_written(s3: Any, raw: Raw, bucket: str, key: str, written: str, slash: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    answer = raw("PUT", f"/{bucket}/to", {"x-amz-copy-source": f"{slash}{bucket}/{written}"})
    assert (answer.status, answer.text("ETag")) == (200, s3.head_object(Bucket=bucket, Key=key)["ETag"])


def test_the_whole_source_encoded(s3: Any, raw: Raw, source: dict[str, str]) -> None:
    answer = raw("PUT", f"/{source['Bucket']}/to", {"x-amz-copy-source": f"%2F{source['Bucket']}%2Ffrom"})
    assert answer.status == 200


def test_conditions_on_the_source(s3: Any, source: dict[str, str]) -> None:
    to = {"Bucket": source["Bucket"], "Key": "to", "CopySource": source}
    head = s3.head_object(**source)
    before, after = head["LastModified"] - timedelta(days=1), head["LastModified"] + timedelta(days=1)
    for good in (
        {"CopySourceIfMatch": head["ETag"]},
        {"CopySourceIfNoneMatch": '"ABC"'},
        {"CopySourceIfModifiedSince": before},
        {"CopySourceIfUnmodifiedSince": after},
        {"CopySourceIfMatch": head["ETag"], "CopySourceIfUnmodifiedSince": before},
    ):
        s3.copy_object(**to, **good)
    for bad in (
        {"CopySourceIfMatch": '"ABC"'},
        {"CopySourceIfNoneMatch": head["ETag"]},
        {"CopySourceIfUnmodifiedSince": before},
        {"CopySourceIfModifiedSince": after},
        {"CopySourceIfNoneMatch": head["ETag"], "CopySourceIfModifiedSince": before},
    ):
        assert failure(s3.copy_object, **to, **bad) == (412, "PreconditionFailed")


def test_another_checksum(s3: Any, source: dict[str, str]) -> None:
    to = {"Bucket": source["Bucket"], "Key": "to"}
    copied = s3.copy_object(**to, CopySource=source, ChecksumAlgorithm="SHA256")
    value = copied["CopyObjectResult"]["ChecksumSHA256"]
    assert s3.head_object(**to, ChecksumMode="ENABLED")["ChecksumSHA256"] == value
    assert failure(s3.copy_object, **to, CopySource=source, ChecksumAlgorithm="NONE")[0] == 400
