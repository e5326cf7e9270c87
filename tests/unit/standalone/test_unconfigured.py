from __future__ import annotations

from typing import Any

import pytest
from conformance.calling import answer, call, refused

from s3d.s3 import codec
from s3d.standalone.backend import Standalone
from s3d.standalone.unconfigured import HANDLERS

REPLICATION = {
    "Role": "arn:aws:iam::1:role/r",
    "Rules": [{"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::other"}}],
}
TOPIC = {"TopicArn": "arn:aws:sns:us-east-1:1:t", "Events": ["s3:ObjectCreated:*"]}
LOGGING = {"LoggingEnabled": {"TargetBucket": "other", "TargetPrefix": "logs/"}}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("GetBucketAbac", {"AbacStatus": {"Status": "Disabled"}}),
        ("GetBucketAccelerateConfiguration", {}),
        ("GetBucketLogging", {}),
        ("GetBucketNotification", {}),
        ("GetBucketNotificationConfiguration", {}),
        ("GetBucketRequestPayment", {"Payer": "BucketOwner"}),
        ("ListBucketAnalyticsConfigurations", {"IsTruncated": False}),
        ("ListBucketIntelligentTieringConfigurations", {"IsTruncated": False}),
        ("ListBucketInventoryConfigurations", {"IsTruncated": False}),
        ("ListBucketMetricsConfigurations", {"IsTruncated": False}),
    ],
)
async def test_reads_of_nothing(backend: Standalone, bucket: str, operation: str, expected: dict[str, Any]) -> None:
    assert await call(backend, operation, {"Bucket": bucket}) == expected


@pytest.mark.parametrize(
    ("operation", "members", "code"),
    [
        ("GetBucketAnalyticsConfiguration", {"Id": "a"}, "NoSuchConfiguration"),
        ("GetBucketIntelligentTieringConfiguration", {"Id": "a"}, "NoSuchConfiguration"),
        ("GetBucketInventoryConfiguration", {"Id": "a"}, "NoSuchConfiguration"),
        ("GetBucketMetricsConfiguration", {"Id": "a"}, "NoSuchConfiguration"),
        ("GetBucketReplication", {}, "ReplicationConfigurationNotFoundError"),
        ("GetBucketWebsite", {}, "NoSuchWebsiteConfiguration"),
        ("GetObjectLockConfiguration", {}, "ObjectLockConfigurationNotFoundError"),
    ],
)
async def test_reads_that_find_nothing(
    backend: Standalone, bucket: str, operation: str, members: dict[str, str], code: str
) -> None:
    with refused(404, code, elements={"BucketName": bucket}):
        await call(backend, operation, {"Bucket": bucket, **members})


@pytest.mark.parametrize("operation", [name for name in HANDLERS if name.startswith("Delete")])
async def test_deletes(backend: Standalone, bucket: str, operation: str) -> None:
    members = {"Id": "a"} if operation.endswith("Configuration") else {}
    response, _ = await answer(backend, codec.build_request(operation, {"Bucket": bucket, **members}))
    assert response.status == 204
    with refused(404, "NoSuchBucket"):
        await call(backend, operation, {"Bucket": "other", **members})


@pytest.mark.parametrize(
    ("operation", "off", "on"),
    [
        ("PutBucketAbac", {"AbacStatus": {"Status": "Disabled"}}, {"AbacStatus": {"Status": "Enabled"}}),
        (
            "PutBucketAccelerateConfiguration",
            {"AccelerateConfiguration": {"Status": "Suspended"}},
            {"AccelerateConfiguration": {"Status": "Enabled"}},
        ),
        ("PutBucketLogging", {"BucketLoggingStatus": {}}, {"BucketLoggingStatus": LOGGING}),
        (
            "PutBucketNotificationConfiguration",
            {"NotificationConfiguration": {}},
            {"NotificationConfiguration": {"TopicConfigurations": [TOPIC]}},
        ),
        (
            "PutBucketNotificationConfiguration",
            {"NotificationConfiguration": {}},
            {"NotificationConfiguration": {"EventBridgeConfiguration": {}}},
        ),
        (
            "PutBucketNotification",
            {"NotificationConfiguration": {}},
            {"NotificationConfiguration": {"TopicConfiguration": {"Topic": "arn:aws:sns:us-east-1:1:t"}}},
        ),
        (
            "PutBucketRequestPayment",
            {"RequestPaymentConfiguration": {"Payer": "BucketOwner"}},
            {"RequestPaymentConfiguration": {"Payer": "Requester"}},
        ),
    ],
)
async def test_what_is_off_may_be_turned_off(
    backend: Standalone, bucket: str, operation: str, off: dict[str, Any], on: dict[str, Any]
) -> None:
    assert await call(backend, operation, {"Bucket": bucket, **off}) == {}
    with refused(501, "NotImplemented") as refusal:
        await call(backend, operation, {"Bucket": bucket, **on})
    assert "is not implemented by this store" in str(refusal.value)
    for members in (off, on):
        with refused(404, "NoSuchBucket"):
            await call(backend, operation, {"Bucket": "other", **members})


@pytest.mark.parametrize(
    ("operation", "members", "feature"),
    [
        ("PutBucketReplication", {"ReplicationConfiguration": REPLICATION}, "Replication"),
        ("PutBucketWebsite", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "i"}}}, "Website hosting"),
        ("PutBucketMetricsConfiguration", {"Id": "a", "MetricsConfiguration": {"Id": "a"}}, "Request metrics"),
    ],
)
async def test_what_would_need_acting(
    backend: Standalone, bucket: str, operation: str, members: dict[str, Any], feature: str
) -> None:
    with refused(501, "NotImplemented") as refusal:
        await call(backend, operation, {"Bucket": bucket, **members})
    assert f"{feature} is not implemented" in str(refusal.value)


async def test_object_lock_of_a_bucket(backend: Standalone, bucket: str) -> None:
    members = {"Bucket": bucket, "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    with refused(409, "InvalidBucketState"):
        await call(backend, "PutObjectLockConfiguration", members)
    await call(backend, "PutBucketVersioning", {"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}})
    with refused(501, "NotImplemented"):
        await call(backend, "PutObjectLockConfiguration", members)


@pytest.mark.parametrize(
    "operation", ["GetObjectLegalHold", "GetObjectRetention", "PutObjectLegalHold", "PutObjectRetention"]
)
async def test_object_lock_of_an_object(backend: Standalone, bucket: str, operation: str) -> None:
    with refused(404, "NoSuchKey"):
        await call(backend, operation, {"Bucket": bucket, "Key": "k"})
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, b"x")
    with refused(400, "InvalidRequest"):
        await call(backend, operation, {"Bucket": bucket, "Key": "k"})
