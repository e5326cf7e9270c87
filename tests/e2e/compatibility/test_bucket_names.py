"""What buckets may be called, and what CreateBucket, HeadBucket, ListBuckets and DeleteBucket say."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from e2e.compatibility.failing import failure
from e2e.compatibility.raw import Raw

pytestmark = pytest.mark.peer

GOOD = ["abc", "aaa-111", "aaa.111", "9start", "ends9", "a" * 63, "b" * 60, "a-b-c", "a.b.c", "a--b"]
BAD = [
    "a",
    "aa",
    "a" * 64,
    "a" * 256,
    "a" * 3000,
    "_under",
    "under_score",
    "-dash",
    "dash-",
    "dots..dots",
    "dot.-dash",
    "dash-.dot",
    ".dot",
    "dot.",
    "Capital",
    "al!ready",
    "192.168.5.123",
    "xn--name",
    "sthree-name",
    "name-s3alias",
    "name--ol-s3",
    "name.mrap",
]


@pytest.mark.parametrize("name", GOOD, ids=lambda name: f"{name[:12]}-{len(name)}")
def test_a_good_name(raw: Raw, name: str) -> None:
    answer = raw("PUT", f"/{name}")
    assert (answer.status, answer.headers["Location"]) == (200, f"/{name}")
    assert raw("HEAD", f"/{name}").status == 200


@pytest.mark.parametrize("name", BAD, ids=lambda name: f"{name[:12]}-{len(name)}")
def test_a_bad_name(raw: Raw, name: str) -> None:
    answer = raw("PUT", f"/{name}")
    assert (answer.status, answer.code) == (400, "InvalidBucketName")


@pytest.mark.parametrize(
    "call", ["list_objects", "list_objects_v2", "delete_bucket", "list_object_versions", "list_multipart_uploads"]
)
def test_a_bucket_that_is_not_there(s3: Any, new_bucket_name: Callable[[], str], call: str) -> None:
    assert failure(getattr(s3, call), Bucket=new_bucket_name()) == (404, "NoSuchBucket")


def test_an_object_of_a_bucket_that_is_not_there(s3: Any, new_bucket_name: Callable[[], str]) -> None:
    missing = new_bucket_name()
    assert failure(s3.put_object, Bucket=missing, Key="k") == (404, "NoSuchBucket")
    assert failure(s3.get_object, Bucket=missing, Key="k") == (404, "NoSuchBucket")
    assert failure(s3.delete_object, Bucket=missing, Key="k") == (404, "NoSuchBucket")
    assert failure(s3.head_object, Bucket=missing, Key="k") == (404, "404")


def test_head_of_a_bucket(s3: Any, bucket: str, new_bucket_name: Callable[[], str]) -> None:
    headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-bucket-region"] == "us-east-1"
    assert failure(s3.head_bucket, Bucket=new_bucket_name()) == (404, "404")


def test_a_bucket_deleted_twice(s3: Any, bucket: str) -> None:
    assert s3.delete_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert failure(s3.delete_bucket, Bucket=bucket) == (404, "NoSuchBucket")
    assert failure(s3.put_object, Bucket=bucket, Key="k") == (404, "NoSuchBucket")


def test_a_bucket_deleted_and_made_again_has_nothing_of_the_old_one(s3: Any, bucket: str) -> None:
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.create_multipart_upload(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 1
    assert failure(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_created_bucket_is_in_the_list_with_its_time(s3: Any, bucket: str) -> None:
    answer = s3.list_buckets()
    assert answer["Owner"]["ID"]
    (entry,) = [entry for entry in answer["Buckets"] if entry["Name"] == bucket]
    date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert abs((entry["CreationDate"] - date).total_seconds()) < 600


@pytest.mark.parametrize("headers", [{"Expect": "200"}, {"Expect": ""}, {"User-Agent": ""}])
def test_headers_that_do_not_matter(raw: Raw, new_bucket_name: Callable[[], str], headers: dict[str, str]) -> None:
    assert raw("PUT", f"/{new_bucket_name()}", headers).status == 200


def test_create_without_a_length(raw: Raw, new_bucket_name: Callable[[], str]) -> None:
    assert raw("PUT", f"/{new_bucket_name()}", length=False).status == 200


@pytest.mark.parametrize("length", ["", "-1", "x"])
def test_create_with_a_wrong_length(raw: Raw, new_bucket_name: Callable[[], str], length: str) -> None:
    assert raw("PUT", f"/{new_bucket_name()}", {"Content-Length": length}).status == 400


def test_create_with_an_acl_that_is_none(s3: Any, new_bucket_name: Callable[[], str]) -> None:
    assert failure(s3.create_bucket, Bucket=new_bucket_name(), ACL="public-ready") == (400, "InvalidArgument")


@pytest.mark.parametrize("place", ["eu-west-1", "EU", "ap-southeast-3"])
def test_the_location_is_that_of_the_creation(s3: Any, new_bucket_name: Callable[[], str], place: str) -> None:
    name = new_bucket_name()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": place})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == place
    region = s3.head_bucket(Bucket=name)["BucketRegion"]
    assert region == ("eu-west-1" if place == "EU" else place)


@pytest.mark.parametrize(
    "body",
    [
        b"<CreateBucketConfiguration/>",
        b'<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint/>'
        b"</CreateBucketConfiguration>",
        b"<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>",
    ],
)
def test_forms_of_the_configuration(raw: Raw, new_bucket_name: Callable[[], str], body: bytes) -> None:
    name = new_bucket_name()
    assert raw("PUT", f"/{name}", body=body).status == 200
    assert raw("GET", f"/{name}?location").text("LocationConstraint") == ""


def test_a_configuration_that_is_no_xml(raw: Raw, new_bucket_name: Callable[[], str]) -> None:
    answer = raw("PUT", f"/{new_bucket_name()}", body=b"not xml")
    assert (answer.status, answer.code) == (400, "MalformedXML")


def test_a_slash_behind_the_bucket(raw: Raw, new_bucket_name: Callable[[], str]) -> None:
    name = new_bucket_name()
    assert raw("PUT", f"/{name}/").status == 200
    assert raw("GET", f"/{name}/").text("Name") == name


@pytest.mark.parametrize("account", ["123456789012", "000000000000"])
def test_the_expected_owner_is_an_account(s3: Any, bucket: str, account: str) -> None:
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ExpectedBucketOwner=account)


def test_an_expected_owner_that_is_no_account(s3: Any, bucket: str) -> None:
    for call in (s3.list_objects, s3.list_objects_v2, s3.get_bucket_tagging):
        assert failure(call, Bucket=bucket, ExpectedBucketOwner="unknown") == (400, "InvalidBucketOwnerAWSAccountID")
