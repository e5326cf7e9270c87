"""Versioning as an application sees it: many versions, null versions, markers, suspension, copies, access lists."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from e2e.compatibility.failing import failure

pytestmark = pytest.mark.peer


def versioning(s3: Any, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


def create(s3: Any, bucket: str, key: str, count: int) -> list[tuple[str, bytes]]:
    made = []
    for number in range(count):
        body = f"content-{number}".encode()
        made.append((s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"], body))
    return made


def listed(s3: Any, bucket: str) -> tuple[list[str], list[str]]:
    """The ids of versions and of markers, newest first."""
    answer = s3.list_object_versions(Bucket=bucket)
    return tuple([entry["VersionId"] for entry in answer.get(kind, [])] for kind in ("Versions", "DeleteMarkers"))  # type: ignore[return-value]


@pytest.mark.parametrize("order", ["oldest", "newest", "any"])
@pytest.mark.parametrize("key", ["k", "_", ":", " ", "a/b//"])
def test_made_and_removed_one_by_one(s3: Any, versioned: str, order: str, key: str) -> None:
    left = create(s3, versioned, key, 5)
    assert listed(s3, versioned)[0] == [version for version, _ in reversed(left)]
    while left:
        place = {"oldest": 0, "newest": -1, "any": random.randrange(len(left))}[order]
        version, body = left[place]
        assert s3.get_object(Bucket=versioned, Key=key, VersionId=version)["Body"].read() == body
        removed = s3.delete_object(Bucket=versioned, Key=key, VersionId=version)
        assert removed["VersionId"] == version
        assert "DeleteMarker" not in removed
        del left[place]
        if left:
            assert s3.get_object(Bucket=versioned, Key=key)["Body"].read() == left[-1][1]
    assert failure(s3.get_object, Bucket=versioned, Key=key) == (404, "NoSuchKey")
    assert listed(s3, versioned) == ([], [])


def test_the_null_version_of_before(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"plain")
    versioning(s3, bucket, "Enabled")
    made = create(s3, bucket, "k", 2)
    assert listed(s3, bucket)[0] == [made[1][0], made[0][0], "null"]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"plain"
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert failure(s3.get_object, Bucket=bucket, Key="k", VersionId="null") == (404, "NoSuchVersion")
    assert listed(s3, bucket)[0] == [made[1][0], made[0][0]]


def test_suspended(s3: Any, versioned: str) -> None:
    made = create(s3, versioned, "k", 2)
    versioning(s3, versioned, "Suspended")
    for body in (b"null 1", b"null 2"):
        s3.put_object(Bucket=versioned, Key="k", Body=body)
    assert listed(s3, versioned)[0] == ["null", made[1][0], made[0][0]]
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"null 2"
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert (marker["DeleteMarker"], marker["VersionId"]) == (True, "null")
    assert listed(s3, versioned) == ([made[1][0], made[0][0]], ["null"])
    s3.delete_object(Bucket=versioned, Key="k")
    assert listed(s3, versioned)[1] == ["null"]
    s3.put_object(Bucket=versioned, Key="k", Body=b"null 3")
    assert listed(s3, versioned) == (["null", made[1][0], made[0][0]], [])
    versioning(s3, versioned, "Enabled")
    (new,) = create(s3, versioned, "k", 1)
    assert listed(s3, versioned)[0] == [new[0], "null", made[1][0], made[0][0]]
    s3.delete_object(Bucket=versioned, Key="k", VersionId="null")
    assert listed(s3, versioned)[0] == [new[0], made[1][0], made[0][0]]


def test_a_copy_in_a_suspended_bucket(s3: Any, versioned: str) -> None:
    s3.put_object(Bucket=versioned, Key="from", Body=b"x")
    versioning(s3, versioned, "Suspended")
    copied = s3.copy_object(Bucket=versioned, Key="to", CopySource={"Bucket": versioned, "Key": "from"})
    assert "VersionId" not in copied
    assert copied["CopySourceVersionId"]
    assert s3.head_object(Bucket=versioned, Key="to")["VersionId"] == "null"


def test_removing_the_marker_of_a_suspended_bucket(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    versioning(s3, bucket, "Suspended")
    s3.delete_object(Bucket=bucket, Key="k")
    assert listed(s3, bucket) == ([], ["null"])
    removed = s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert (removed["DeleteMarker"], removed["VersionId"]) == (True, "null")
    assert listed(s3, bucket) == ([], [])


def test_markers_upon_markers(s3: Any, versioned: str) -> None:
    create(s3, versioned, "k", 1)
    markers = [s3.delete_object(Bucket=versioned, Key="k")["VersionId"] for _ in range(3)]
    assert listed(s3, versioned)[1] == markers[::-1]
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    answer = s3.list_object_versions(Bucket=versioned)
    assert [entry["IsLatest"] for entry in answer["DeleteMarkers"]] == [True, False, False]
    assert answer["Versions"][0]["IsLatest"] is False
    for marker in markers:
        assert failure(s3.get_object, Bucket=versioned, Key="k", VersionId=marker) == (405, "MethodNotAllowed")
        s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"content-0"


def test_what_reads_say_of_a_marker(s3: Any, versioned: str) -> None:
    create(s3, versioned, "k", 1)
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    for call in (s3.get_object, s3.head_object):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            call(Bucket=versioned, Key="k")
        headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
        assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)


def test_a_version_that_was_never_there(s3: Any, versioned: str) -> None:
    (made,) = create(s3, versioned, "k", 1)
    for key in ("k", "other"):
        found = failure(s3.get_object, Bucket=versioned, Key=key, VersionId="invalid")
        assert found == (400, "InvalidArgument")
    assert failure(s3.get_object, Bucket=versioned, Key="other", VersionId=made[0]) == (404, "NoSuchVersion")
    assert failure(s3.head_object, Bucket=versioned, Key="k", VersionId="null") == (404, "404")


def test_all_versions_copied(s3: Any, versioned: str, bucket: str) -> None:
    made = create(s3, versioned, "k", 3)
    for version, body in made:
        source = {"Bucket": versioned, "Key": "k", "VersionId": version}
        answer = s3.copy_object(Bucket=versioned, Key="copy", CopySource=source)
        assert answer["CopySourceVersionId"] == version
        assert s3.get_object(Bucket=versioned, Key="copy")["Body"].read() == body
        assert s3.head_object(Bucket=versioned, Key="copy")["VersionId"] == answer["VersionId"]
    versions = s3.list_object_versions(Bucket=versioned, Prefix="copy")["Versions"]
    assert len(versions) == 3


def test_an_old_version_copied_onto_its_key(s3: Any, versioned: str) -> None:
    made = create(s3, versioned, "k", 2)
    source = {"Bucket": versioned, "Key": "k", "VersionId": made[0][0]}
    s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"content-0"
    assert len(listed(s3, versioned)[0]) == 3


def test_a_key_that_has_to_be_encoded(s3: Any, versioned: str) -> None:
    (made,) = create(s3, versioned, "foo?bar", 1)
    source = {"Bucket": versioned, "Key": "foo?bar", "VersionId": made[0]}
    s3.copy_object(Bucket=versioned, Key="bar?baz", CopySource=source)
    assert s3.get_object(Bucket=versioned, Key="bar?baz")["Body"].read() == made[1]


def test_access_lists_of_versions(s3: Any, versioned: str) -> None:
    made = create(s3, versioned, "k", 2)
    at = {"Bucket": versioned, "Key": "k"}
    s3.put_object_acl(**at, VersionId=made[0][0], ACL="public-read")
    assert len(s3.get_object_acl(**at, VersionId=made[0][0])["Grants"]) == 2
    assert len(s3.get_object_acl(**at)["Grants"]) == 1
    s3.put_object_acl(**at, ACL="public-read")
    assert len(s3.get_object_acl(**at, VersionId=made[1][0])["Grants"]) == 2


def test_uploads_are_versions(s3: Any, versioned: str) -> None:
    made = []
    for body in (b"1", b"2"):
        upload = s3.create_multipart_upload(Bucket=versioned, Key="k")
        at = {"Bucket": versioned, "Key": "k", "UploadId": upload["UploadId"]}
        part = {"PartNumber": 1, "ETag": s3.upload_part(**at, PartNumber=1, Body=body)["ETag"]}
        made.append(s3.complete_multipart_upload(**at, MultipartUpload={"Parts": [part]})["VersionId"])
    assert listed(s3, versioned)[0] == made[::-1]
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=made[0])["Body"].read() == b"1"


def test_many_at_once(s3: Any, versioned: str) -> None:
    with ThreadPoolExecutor(5) as pool:
        made = list(pool.map(lambda number: create(s3, versioned, "k", 1)[0][0], range(5)))
        assert sorted(listed(s3, versioned)[0]) == sorted(made)
        list(pool.map(lambda version: s3.delete_object(Bucket=versioned, Key="k", VersionId=version), made))
    assert listed(s3, versioned) == ([], [])


def test_a_bucket_with_versions_stays(s3: Any, versioned: str) -> None:
    (made,) = create(s3, versioned, "k", 1)
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    assert failure(s3.delete_bucket, Bucket=versioned) == (409, "BucketNotEmpty")
    for version in (made[0], marker):
        s3.delete_object(Bucket=versioned, Key="k", VersionId=version)
    s3.delete_bucket(Bucket=versioned)


@pytest.mark.parametrize(("status", "code"), [("enabled", "MalformedXML"), ("Disabled", "MalformedXML")])
def test_states_that_do_not_exist(s3: Any, bucket: str, status: str, code: str) -> None:
    configuration = {"Status": status}
    found = failure(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=configuration)
    assert found == (400, code)


def test_a_bucket_without_versioning_takes_the_null_version(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "VersionId" not in s3.head_object(Bucket=bucket, Key="k")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"x"
    assert listed(s3, bucket) == (["null"], [])
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert listed(s3, bucket) == ([], [])
