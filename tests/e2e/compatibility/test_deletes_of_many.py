"""DeleteObjects."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from e2e.compatibility.failing import failure
from e2e.compatibility.raw import Answer, Raw

pytestmark = pytest.mark.peer

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def named(*keys: str) -> list[dict[str, str]]:
    return [{"Key": key} for key in keys]


def post(raw: Raw, bucket: str, body: bytes, **headers: str) -> Answer:
    fields = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    return raw("POST", f"/{bucket}?delete", headers or fields, body)


def test_keys_that_are_there_and_keys_that_are_not(s3: Any, bucket: str) -> None:
    for key in ("key0", "key1", "key2"):
        s3.put_object(Bucket=bucket, Key=key)
    for _ in range(2):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named("key0", "key1", "key2")})
        assert [entry["Key"] for entry in answer["Deleted"]] == ["key0", "key1", "key2"]
        assert "Errors" not in answer
    assert "Contents" not in s3.list_objects(Bucket=bucket)


def test_a_thousand_and_one_more(s3: Any, bucket: str) -> None:
    keys = [f"key-{number}" for number in range(1001)]
    assert failure(s3.delete_objects, Bucket=bucket, Delete={"Objects": named(*keys)}) == (400, "MalformedXML")
    s3.put_object(Bucket=bucket, Key="key-7")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named(*keys[:1000])})
    assert len(answer["Deleted"]) == 1000
    assert "Contents" not in s3.list_objects(Bucket=bucket)


def test_none(s3: Any, bucket: str) -> None:
    assert failure(s3.delete_objects, Bucket=bucket, Delete={"Objects": []}) == (400, "MalformedXML")


def test_quietly(s3: Any, bucket: str) -> None:
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named("a"), "Quiet": True})
    assert "Deleted" not in answer
    assert "Errors" not in answer


def test_the_same_key_twice(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named("k", "k")})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["k", "k"]


@pytest.mark.parametrize("namespace", ["", NAMESPACE])
def test_the_namespace_may_be_left_out(raw: Raw, s3: Any, bucket: str, namespace: str) -> None:
    s3.put_object(Bucket=bucket, Key="a&b")
    answer = post(raw, bucket, f"<Delete{namespace}><Object><Key>a&amp;b</Key></Object></Delete>".encode())
    assert (answer.status, answer.text("Key")) == (200, "a&b")
    assert "Contents" not in s3.list_objects(Bucket=bucket)


@pytest.mark.parametrize(
    "body", [b"", b"no xml", b"<Delete/>", b"<Other/>", b"<Delete><Object/></Delete>", b"<Delete><Object><Key>k</Key>"]
)
def test_bad_documents(raw: Raw, bucket: str, body: bytes) -> None:
    answer = post(raw, bucket, body)
    assert (answer.status, answer.code) == (400, "MalformedXML")


def test_digests(raw: Raw, bucket: str) -> None:
    """S3 insists on one; here none will do."""
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    assert raw("POST", f"/{bucket}?delete", body=body).status == 200
    checksum = {"x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": "AAAAAA=="}
    assert post(raw, bucket, body, **checksum).code == "BadDigest"
    answer = post(raw, bucket, body, **{"Content-MD5": base64.b64encode(b"0" * 16).decode()})
    assert (answer.status, answer.code) == (400, "BadDigest")
    assert post(raw, bucket, body, **{"Content-MD5": "short"}).code == "InvalidDigest"


def test_special_keys(s3: Any, bucket: str) -> None:
    keys = [" ", "a b", "é", "<>&'\"", "a\nb", "//", "\U0001f600", "+%"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key)
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named(*keys)})
    assert [entry["Key"] for entry in answer["Deleted"]] == keys
    assert "Contents" not in s3.list_objects(Bucket=bucket)


def test_versions(s3: Any, versioned: str) -> None:
    ids = [s3.put_object(Bucket=versioned, Key="k", Body=b"x")["VersionId"] for _ in range(3)]
    objects = [{"Key": "k", "VersionId": one} for one in ids]
    for _ in range(2):
        answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})
        assert sorted(entry["VersionId"] for entry in answer["Deleted"]) == sorted(ids)
        assert "Errors" not in answer
    assert "Versions" not in s3.list_object_versions(Bucket=versioned)


def test_a_marker_made_and_removed(s3: Any, versioned: str) -> None:
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": named("never")})
    (entry,) = answer["Deleted"]
    assert (entry["Key"], entry["DeleteMarker"]) == ("never", True)
    marker = entry["DeleteMarkerVersionId"]
    (listed,) = s3.list_object_versions(Bucket=versioned)["DeleteMarkers"]
    assert (listed["Key"], listed["VersionId"], listed["IsLatest"]) == ("never", marker, True)
    removed = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "never", "VersionId": marker}]})
    (entry,) = removed["Deleted"]
    assert (entry["VersionId"], entry["DeleteMarker"], entry["DeleteMarkerVersionId"]) == (marker, True, marker)
    assert "DeleteMarkers" not in s3.list_object_versions(Bucket=versioned)


def test_a_missing_bucket(s3: Any) -> None:
    found = failure(s3.delete_objects, Bucket="no-such-bucket-here", Delete={"Objects": named("k")})
    assert found == (404, "NoSuchBucket")


def test_conditions_of_each(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="b", Body=b"2")
    objects = [{"Key": "a", "ETag": etag}, {"Key": "b", "ETag": etag}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["a"]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("b", "PreconditionFailed")]
