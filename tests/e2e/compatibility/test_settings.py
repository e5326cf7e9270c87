"""Settings of buckets: put, got back and deleted as Terraform, consoles and SDKs do it; access lists; what is not set."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from e2e.compatibility.failing import failure
from e2e.compatibility.raw import Raw

pytestmark = pytest.mark.peer

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
SIGNED_IN = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOGS = "http://acs.amazonaws.com/groups/s3/LogDelivery"


def lifecycle(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"Rules": list(rules)}


def rule(**members: Any) -> dict[str, Any]:
    return {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}} | members


GOOD_RULES = {
    "old form": {"ID": "r", "Status": "Enabled", "Prefix": "test1/", "Expiration": {"Days": 1}},
    "disabled": rule(Status="Disabled"),
    "empty filter": rule(Filter={}),
    "tag": rule(Filter={"Tag": {"Key": "a", "Value": "b"}}),
    "and": rule(Filter={"And": {"Prefix": "x", "Tags": [{"Key": "a", "Value": "b"}]}}),
    "sizes": rule(Filter={"And": {"ObjectSizeGreaterThan": 500, "ObjectSizeLessThan": 64000}}),
    "marker": rule(Expiration={"ExpiredObjectDeleteMarker": True}),
    "noncurrent": rule(NoncurrentVersionExpiration={"NoncurrentDays": 2, "NewerNoncurrentVersions": 3}),
    "abort": rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7}),
    "transitions": rule(
        Transitions=[{"Days": 0, "StorageClass": "GLACIER"}, {"Days": 90, "StorageClass": "DEEP_ARCHIVE"}]
    ),
    "noncurrent transitions": rule(
        NoncurrentVersionTransitions=[{"NoncurrentDays": 30, "StorageClass": "STANDARD_IA"}]
    ),
}
BAD_RULES = {
    "long id": (rule(ID="a" * 256), "InvalidArgument"),
    "lower status": (rule(Status="enabled"), "MalformedXML"),
    "no such status": (rule(Status="invalid"), "MalformedXML"),
    "no days": (rule(Expiration={"Days": 0}), "InvalidArgument"),
    "negative days": (rule(Expiration={"Days": -1}), "InvalidArgument"),
    "no action": ({"ID": "r", "Status": "Enabled", "Filter": {}}, "InvalidRequest"),
    "no filter": ({"ID": "r", "Status": "Enabled", "Expiration": {"Days": 1}}, "MalformedXML"),
    "days and date": (rule(Expiration={"Days": 1, "Date": "2030-01-01T00:00:00Z"}), "MalformedXML"),
    "not midnight": (rule(Expiration={"Date": "2030-01-01T01:00:00Z"}), "InvalidArgument"),
    "no such class": (rule(Transitions=[{"Days": 1, "StorageClass": "FAST"}]), "MalformedXML"),
}


@pytest.mark.parametrize("case", GOOD_RULES)
def test_lifecycle_rules(s3: Any, bucket: str, case: str) -> None:
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=lifecycle(GOOD_RULES[case]))
    (found,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert found == GOOD_RULES[case]
    assert s3.delete_bucket_lifecycle(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert failure(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")


@pytest.mark.parametrize("case", BAD_RULES)
def test_bad_lifecycle_rules(s3: Any, bucket: str, case: str) -> None:
    bad, code = BAD_RULES[case]
    found = failure(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration=lifecycle(bad))
    assert found == (400, code)


def test_ids_of_rules(s3: Any, bucket: str) -> None:
    first, second = rule(ID="1", Filter={"Prefix": "a"}), rule(Filter={"Prefix": "b"})
    del second["ID"]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=lifecycle(first, second))
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rules[0] == first
    assert rules[1]["ID"]
    both = lifecycle(rule(Filter={"Prefix": "a"}), rule(Filter={"Prefix": "b"}))
    found = failure(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration=both)
    assert found == (400, "InvalidArgument")


def test_a_policy(s3: Any, bucket: str) -> None:
    assert failure(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "s3:ListBucket",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    answer = s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    assert s3.delete_bucket_policy(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert failure(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")


@pytest.mark.parametrize("text", ["true", "{}", "not json", '{"Version": "2012-10-17", "Statement": []}'])
def test_policies_that_are_none(s3: Any, bucket: str, text: str) -> None:
    assert failure(s3.put_bucket_policy, Bucket=bucket, Policy=text) == (400, "MalformedPolicy")


def test_public_access_block(s3: Any, bucket: str) -> None:
    missing = (404, "NoSuchPublicAccessBlockConfiguration")
    assert failure(s3.get_public_access_block, Bucket=bucket) == missing
    wanted = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=wanted)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == wanted
    for acl in ("public-read", "public-read-write", "authenticated-read"):
        assert failure(s3.put_bucket_acl, Bucket=bucket, ACL=acl) == (403, "AccessDenied")
        assert failure(s3.put_object, Bucket=bucket, Key="k", ACL=acl) == (403, "AccessDenied")
    s3.put_object(Bucket=bucket, Key="k", ACL="private")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert failure(s3.put_bucket_policy, Bucket=bucket, Policy=text) == (403, "AccessDenied")
    s3.delete_public_access_block(Bucket=bucket)
    assert failure(s3.get_public_access_block, Bucket=bucket) == missing
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")


@pytest.mark.parametrize("ownership", ["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"])
def test_ownership(s3: Any, bucket: str, ownership: str, new_bucket_name: Callable[[], str]) -> None:
    assert failure(s3.get_bucket_ownership_controls, Bucket=bucket) == (404, "OwnershipControlsNotFoundError")
    wanted = {"Rules": [{"ObjectOwnership": ownership}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=wanted)
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == wanted
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    other = new_bucket_name()
    s3.create_bucket(Bucket=other, ObjectOwnership=ownership)
    assert s3.get_bucket_ownership_controls(Bucket=other)["OwnershipControls"] == wanted
    if ownership == "BucketOwnerEnforced":
        assert failure(s3.put_bucket_acl, Bucket=other, ACL="public-read") == (400, "AccessControlListNotSupported")
        found = failure(s3.put_object, Bucket=other, Key="k", ACL="public-read")
        assert found == (400, "AccessControlListNotSupported")
        s3.put_object(Bucket=other, Key="k", ACL="bucket-owner-full-control")


def test_encryption(s3: Any, bucket: str) -> None:
    missing = (404, "ServerSideEncryptionConfigurationNotFoundError")
    assert failure(s3.get_bucket_encryption, Bucket=bucket) == missing
    wanted = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=wanted)
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"] == wanted
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.delete_bucket_encryption(Bucket=bucket)
    assert failure(s3.get_bucket_encryption, Bucket=bucket) == missing


def test_cors(s3: Any, bucket: str) -> None:
    assert failure(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    rules = [
        {
            "AllowedMethods": ["GET", "PUT"],
            "AllowedOrigins": ["*.get", "*.put"],
            "AllowedHeaders": ["*"],
            "MaxAgeSeconds": 5,
        }
    ]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    assert s3.delete_bucket_cors(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert failure(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")


def test_cors_of_answers(s3: Any, raw: Raw, bucket: str) -> None:
    rules = [
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*suffix"]},
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["start*end"]},
        {
            "AllowedMethods": ["PUT"],
            "AllowedOrigins": ["*.put"],
            "AllowedHeaders": ["x-amz-meta-*"],
            "ExposeHeaders": ["ETag"],
        },
    ]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    for origin, allowed in (
        ("foo.suffix", True),
        ("foo.bar", False),
        ("startend", True),
        ("start12end", True),
        ("0start12end", False),
    ):
        answer = raw("GET", f"/{bucket}", {"Origin": origin})
        assert (answer.status, answer.headers.get("Access-Control-Allow-Origin")) == (200, origin if allowed else None)
        assert answer.headers.get("Access-Control-Allow-Methods") == ("GET" if allowed else None)
    answer = raw("PUT", f"/{bucket}/k", {"Origin": "a.put"}, b"x")
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
    asked = {
        "Origin": "a.put",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "x-amz-meta-a",
    }
    assert raw("OPTIONS", f"/{bucket}/k", asked, signed=False).status == 200
    for change in (
        {"Origin": "x"},
        {"Access-Control-Request-Method": "DELETE"},
        {"Access-Control-Request-Headers": "content-type"},
    ):
        assert raw("OPTIONS", f"/{bucket}/k", asked | change, signed=False).status == 403
    del asked["Access-Control-Request-Method"]
    assert raw("OPTIONS", f"/{bucket}/k", asked, signed=False).status == 400


GROUPS = {
    "private": [],
    "public-read": [(ALL_USERS, "READ")],
    "public-read-write": [(ALL_USERS, "READ"), (ALL_USERS, "WRITE")],
    "authenticated-read": [(SIGNED_IN, "READ")],
    "log-delivery-write": [(LOGS, "READ_ACP"), (LOGS, "WRITE")],
}


def groups_of(answer: Any) -> list[tuple[str, str]]:
    return sorted((g["Grantee"]["URI"], g["Permission"]) for g in answer["Grants"] if g["Grantee"]["Type"] == "Group")


@pytest.mark.parametrize("acl", GROUPS)
def test_canned_lists(s3: Any, bucket: str, acl: str, new_bucket_name: Callable[[], str]) -> None:
    owner = {"Type": "CanonicalUser", **s3.list_buckets()["Owner"]}
    s3.put_bucket_acl(Bucket=bucket, ACL=acl)
    found = s3.get_bucket_acl(Bucket=bucket)
    assert groups_of(found) == GROUPS[acl]
    assert {"Grantee": owner, "Permission": "FULL_CONTROL"} in found["Grants"]
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 1
    if acl != "log-delivery-write":
        s3.put_object(Bucket=bucket, Key="k", ACL=acl)
        assert groups_of(s3.get_object_acl(Bucket=bucket, Key="k")) == GROUPS[acl]
    other = new_bucket_name()
    s3.create_bucket(Bucket=other, ACL=acl)
    assert groups_of(s3.get_bucket_acl(Bucket=other)) == GROUPS[acl]


@pytest.mark.parametrize("permission", ["FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"])
def test_lists_as_documents(s3: Any, bucket: str, permission: str) -> None:
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    grants = [
        {"Grantee": {"Type": "CanonicalUser", **owner}, "Permission": "FULL_CONTROL"},
        {
            "Grantee": {
                "Type": "CanonicalUser",
                "ID": "56789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234",
            },
            "Permission": permission,
        },
        {"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": permission},
    ]
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Owner": owner, "Grants": grants})
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == grants
    s3.put_object(Bucket=bucket, Key="k")
    s3.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy={"Owner": owner, "Grants": grants})
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Grants"] == grants


def test_a_list_of_nobody(s3: Any, bucket: str) -> None:
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Owner": owner, "Grants": []})
    assert s3.get_bucket_acl(Bucket=bucket).get("Grants", []) == []
    s3.put_object(Bucket=bucket, Key="k")


def test_grants_in_headers(s3: Any, bucket: str) -> None:
    other = "56789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234"
    grants = {f"Grant{name}": f"id={other}" for name in ("FullControl", "Read", "ReadACP", "WriteACP")}
    s3.put_object(Bucket=bucket, Key="k", **grants)
    found = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert sorted(g["Permission"] for g in found) == ["FULL_CONTROL", "READ", "READ_ACP", "WRITE_ACP"]
    assert {g["Grantee"]["ID"] for g in found} == {other}
    assert failure(s3.put_bucket_acl, Bucket=bucket, ACL="private", GrantRead=f"id={other}")[0] == 400


NOT_SET = {
    "get_bucket_website": "NoSuchWebsiteConfiguration",
    "get_bucket_replication": "ReplicationConfigurationNotFoundError",
    "get_object_lock_configuration": "ObjectLockConfigurationNotFoundError",
}
EMPTY = {
    "get_bucket_logging": {},
    "get_bucket_notification_configuration": {},
    "get_bucket_accelerate_configuration": {},
    "get_bucket_versioning": {},
    "get_bucket_request_payment": {"Payer": "BucketOwner"},
    "get_bucket_location": {"LocationConstraint": None},
}


@pytest.mark.parametrize("call", NOT_SET)
def test_what_no_bucket_has(s3: Any, bucket: str, call: str) -> None:
    assert failure(getattr(s3, call), Bucket=bucket) == (404, NOT_SET[call])


@pytest.mark.parametrize("call", EMPTY)
def test_what_is_empty(s3: Any, bucket: str, call: str) -> None:
    answer = getattr(s3, call)(Bucket=bucket)
    del answer["ResponseMetadata"]
    assert answer == EMPTY[call]


def test_what_would_have_to_act_is_refused(s3: Any, bucket: str) -> None:
    website = {"IndexDocument": {"Suffix": "index.html"}}
    assert failure(s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=website) == (501, "NotImplemented")
    queue = {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:1:q", "Events": ["s3:ObjectCreated:*"]}]}
    found = failure(s3.put_bucket_notification_configuration, Bucket=bucket, NotificationConfiguration=queue)
    assert found == (501, "NotImplemented")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    payment = {"Payer": "BucketOwner"}
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration=payment)
    assert failure(s3.put_object, Bucket=bucket, Key="k", ServerSideEncryption="AES256") == (501, "NotImplemented")
    assert failure(s3.put_object, Bucket=bucket, Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey="0" * 32)[
        0
    ] in (400, 501)
