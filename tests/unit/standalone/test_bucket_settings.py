from __future__ import annotations

from typing import Any

import pytest
from conformance.calling import answer, call, refused

from s3d.s3 import codec
from s3d.standalone.backend import Standalone

KMS = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:us-east-1:1:key/1"}


def encryption(default: dict[str, Any], **more: Any) -> dict[str, Any]:
    rule = {"ApplyServerSideEncryptionByDefault": default, **more}
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


def ownership(*values: str) -> dict[str, Any]:
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": value} for value in values]}}


def block(**values: bool) -> dict[str, Any]:
    return {"PublicAccessBlockConfiguration": values}


def tagging(*tags: tuple[str, str]) -> dict[str, Any]:
    return {"Tagging": {"TagSet": [{"Key": key, "Value": value} for key, value in tags]}}


ALL_OFF = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), False)


@pytest.mark.parametrize(
    ("name", "put", "got", "missing"),
    [
        ("BucketTagging", tagging(("b", "1"), ("a", "")), tagging(("a", ""), ("b", "1"))["Tagging"], "NoSuchTagSet"),
        (
            "BucketEncryption",
            encryption({"SSEAlgorithm": "AES256"}),
            encryption({"SSEAlgorithm": "AES256"}, BucketKeyEnabled=False),
            "ServerSideEncryptionConfigurationNotFoundError",
        ),
        (
            "BucketEncryption",
            encryption(KMS, BucketKeyEnabled=True),
            encryption(KMS, BucketKeyEnabled=True),
            "ServerSideEncryptionConfigurationNotFoundError",
        ),
        (
            "PublicAccessBlock",
            block(BlockPublicAcls=True, IgnorePublicAcls=False),
            block(**(ALL_OFF | {"BlockPublicAcls": True})),
            "NoSuchPublicAccessBlockConfiguration",
        ),
        (
            "BucketOwnershipControls",
            ownership("BucketOwnerPreferred"),
            ownership("BucketOwnerPreferred"),
            "OwnershipControlsNotFoundError",
        ),
    ],
)
async def test_a_setting_from_first_to_last(
    backend: Standalone, bucket: str, name: str, put: dict[str, Any], got: dict[str, Any], missing: str
) -> None:
    at = {"Bucket": bucket}
    with refused(404, missing, elements={"BucketName": bucket}):
        await call(backend, f"Get{name}", at)
    await call(backend, f"Put{name}", at | put)
    assert await call(backend, f"Get{name}", at) == got
    for _ in range(2):
        response, _members = await answer(backend, codec.build_request(f"Delete{name}", at))
        assert response.status == 204
    with refused(404, missing):
        await call(backend, f"Get{name}", at)


async def test_a_setting_is_replaced_as_a_whole(backend: Standalone, bucket: str) -> None:
    await call(backend, "PutBucketTagging", {"Bucket": bucket, **tagging(("a", "1"), ("b", "2"))})
    await call(backend, "PutBucketTagging", {"Bucket": bucket, **tagging(("c", "3"))})
    assert await call(backend, "GetBucketTagging", {"Bucket": bucket}) == tagging(("c", "3"))["Tagging"]
    await call(backend, "PutBucketTagging", {"Bucket": bucket, **tagging()})
    with refused(404, "NoSuchTagSet"):
        await call(backend, "GetBucketTagging", {"Bucket": bucket})


async def test_settings_of_buckets_and_names_do_not_mix(backend: Standalone, bucket: str) -> None:
    await call(backend, "CreateBucket", {"Bucket": "two"})
    await call(backend, "PutBucketTagging", {"Bucket": bucket, **tagging(("a", "1"))})
    await call(backend, "PutBucketOwnershipControls", {"Bucket": bucket, **ownership("ObjectWriter")})
    with refused(404, "NoSuchTagSet"):
        await call(backend, "GetBucketTagging", {"Bucket": "two"})
    await call(backend, "DeleteBucketOwnershipControls", {"Bucket": bucket})
    await call(backend, "DeleteBucketTagging", {"Bucket": "two"})
    assert await call(backend, "GetBucketTagging", {"Bucket": bucket}) == tagging(("a", "1"))["Tagging"]


@pytest.mark.parametrize(
    ("operation", "members", "code"),
    [
        ("PutBucketTagging", tagging(("a", "1"), ("a", "2")), "InvalidTag"),
        ("PutBucketTagging", tagging(*((f"k{number}", "") for number in range(51))), "BadRequest"),
        ("PutBucketEncryption", {"ServerSideEncryptionConfiguration": {"Rules": [{}, {}]}}, "MalformedXML"),
        ("PutBucketEncryption", encryption({"SSEAlgorithm": "rot13"}), "MalformedXML"),
        ("PutBucketEncryption", encryption(KMS | {"SSEAlgorithm": "AES256"}), "InvalidArgument"),
        ("PutPublicAccessBlock", block(), "MalformedXML"),
        ("PutBucketOwnershipControls", ownership("Nobody"), "MalformedXML"),
        ("PutBucketOwnershipControls", ownership("ObjectWriter", "ObjectWriter"), "MalformedXML"),
    ],
)
async def test_what_a_setting_cannot_be(
    backend: Standalone, bucket: str, operation: str, members: dict[str, Any], code: str
) -> None:
    with refused(400, code):
        await call(backend, operation, {"Bucket": bucket, **members})
    with refused(404, "NoSuchBucket"):
        await call(backend, operation, {"Bucket": "other", **members})


async def test_fifty_tags(backend: Standalone, bucket: str) -> None:
    tags = tagging(*((f"k{number:02d}", "v" * 256) for number in range(50)))
    await call(backend, "PutBucketTagging", {"Bucket": bucket, **tags})
    assert await call(backend, "GetBucketTagging", {"Bucket": bucket}) == tags["Tagging"]
