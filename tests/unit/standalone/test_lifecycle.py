from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from conformance.calling import answer, call, refused

from s3d.s3 import codec
from s3d.s3.message import S3Request
from s3d.standalone.backend import Standalone

SIZE = "TransitionDefaultMinimumObjectSize"
DAYS = {"Days": 1}
RULE = {"ID": "one", "Status": "Enabled", "Prefix": "a/", "Expiration": DAYS}
NEXT_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


async def put(backend: Standalone, bucket: str, *rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    configuration = {"LifecycleConfiguration": {"Rules": list(rules)}}
    return await call(backend, "PutBucketLifecycleConfiguration", {"Bucket": bucket, **configuration, **members})


async def get(backend: Standalone, bucket: str) -> dict[str, Any]:
    return await call(backend, "GetBucketLifecycleConfiguration", {"Bucket": bucket})


def rule(*without: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (RULE | changes).items() if name not in without}


async def test_a_configuration_from_first_to_last(backend: Standalone, bucket: str) -> None:
    with refused(404, "NoSuchLifecycleConfiguration", elements={"BucketName": bucket}):
        await get(backend, bucket)
    rules = [
        RULE,
        {"ID": "two", "Status": "Disabled", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        {
            "ID": "three",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "b", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 5}},
            "Transitions": [{"Date": NEXT_YEAR, "StorageClass": "GLACIER"}, {"Days": 0, "StorageClass": "GLACIER_IR"}],
            "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "STANDARD_IA"}],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90, "NewerNoncurrentVersions": 3},
        },
        {"ID": "four", "Status": "Enabled", "Filter": {"Prefix": "c"}, "Expiration": {"Date": NEXT_YEAR}},
        {"ID": "five", "Status": "Enabled", "Prefix": "", "Expiration": {"ExpiredObjectDeleteMarker": True}},
    ]
    assert await put(backend, bucket, *rules) == {SIZE: "all_storage_classes_128K"}
    assert await get(backend, bucket) == {"Rules": rules, SIZE: "all_storage_classes_128K"}
    for _ in range(2):
        await call(backend, "DeleteBucketLifecycle", {"Bucket": bucket})
    with refused(404, "NoSuchLifecycleConfiguration"):
        await get(backend, bucket)


async def test_the_smallest_size_that_moves(backend: Standalone, bucket: str) -> None:
    found = await put(backend, bucket, RULE, **{SIZE: "varies_by_storage_class"})
    assert found == {SIZE: "varies_by_storage_class"}
    assert (await get(backend, bucket))[SIZE] == "varies_by_storage_class"
    with refused(400, "InvalidRequest"):
        await put(backend, bucket, RULE, **{SIZE: "huge"})


async def test_rules_without_ids_get_some(backend: Standalone, bucket: str) -> None:
    await put(backend, bucket, rule("ID"), rule(ID=""), RULE)
    first, second, third = [found["ID"] for found in (await get(backend, bucket))["Rules"]]
    assert first
    assert second
    assert first != second
    assert third == "one"


async def test_the_old_operations(backend: Standalone, bucket: str) -> None:
    old = {
        **RULE,
        "Transition": {"Days": 40, "StorageClass": "GLACIER"},
        "NoncurrentVersionTransition": {"NoncurrentDays": 40, "StorageClass": "GLACIER"},
    }
    await call(backend, "PutBucketLifecycle", {"Bucket": bucket, "LifecycleConfiguration": {"Rules": [old]}})
    [new] = (await get(backend, bucket))["Rules"]
    assert new == {
        **RULE,
        "Transitions": [old["Transition"]],
        "NoncurrentVersionTransitions": [old["NoncurrentVersionTransition"]],
    }
    assert (await call(backend, "GetBucketLifecycle", {"Bucket": bucket}))["Rules"] == [old]


async def test_a_configuration_has_rules(backend: Standalone, bucket: str) -> None:
    with refused(400, "MalformedXML"):
        await put(backend, bucket)
    with refused(400, "MalformedXML"):
        await call(backend, "PutBucketLifecycleConfiguration", {"Bucket": bucket})
    many = [rule(ID=str(number)) for number in range(1001)]
    await put(backend, bucket, *many[:1000])
    with refused(400, "MalformedXML"):
        await put(backend, bucket, *many)


TAG = {"Key": "k", "Value": "v"}


@pytest.mark.parametrize(
    "wrong",
    [
        rule(Status="enabled"),
        rule("Prefix"),
        rule(Filter={"Prefix": "a"}),
        rule("Prefix", Filter={"Prefix": "a", "Tag": TAG}),
        rule("Prefix", Filter={"And": {"Prefix": "a"}}),
        rule("Prefix", Filter={"And": {"Tags": [TAG]}}),
        rule(Expiration={}),
        rule(Expiration={"Days": 1, "Date": NEXT_YEAR}),
        rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": True}),
        rule(Transitions=[{"Days": 1}]),
        rule(Transitions=[{"Days": 1, "StorageClass": "STANDARD"}]),
        rule(Transitions=[{"StorageClass": "GLACIER"}]),
        rule(Transitions=[{"Days": 1, "Date": NEXT_YEAR, "StorageClass": "GLACIER"}]),
        rule(NoncurrentVersionExpiration={"NewerNoncurrentVersions": 1}),
        rule(NoncurrentVersionTransitions=[{"NoncurrentDays": 1}]),
        rule("Expiration", AbortIncompleteMultipartUpload={}),
    ],
)
async def test_rules_that_are_malformed(backend: Standalone, bucket: str, wrong: dict[str, Any]) -> None:
    with refused(400, "MalformedXML"):
        await put(backend, bucket, wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        rule(ID="x" * 256),
        rule(Expiration={"Days": 0}),
        rule(Expiration={"Days": -1}),
        rule(Expiration={"Date": NEXT_YEAR.replace(hour=1)}),
        rule(Transitions=[{"Days": -1, "StorageClass": "GLACIER"}]),
        rule(Transitions=[{"Date": NEXT_YEAR.replace(second=1), "StorageClass": "GLACIER"}]),
        rule(NoncurrentVersionExpiration={"NoncurrentDays": 0}),
        rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}),
        rule(NoncurrentVersionTransitions=[{"NoncurrentDays": -1, "StorageClass": "GLACIER"}]),
        rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 0}),
    ],
)
async def test_values_that_are_invalid(backend: Standalone, bucket: str, wrong: dict[str, Any]) -> None:
    with refused(400, "InvalidArgument"):
        await put(backend, bucket, wrong)


async def test_ids_are_unique(backend: Standalone, bucket: str) -> None:
    with refused(400, "InvalidArgument"):
        await put(backend, bucket, RULE, rule(Prefix="b"))
    await put(backend, bucket, rule(ID="x" * 255), RULE)


async def test_a_rule_does_something(backend: Standalone, bucket: str) -> None:
    with refused(400, "InvalidRequest"):
        await put(backend, bucket, rule("Expiration"))
    with refused(400, "InvalidRequest"):
        await put(backend, bucket, rule("Prefix", Filter={"And": {"Tags": [TAG, TAG]}}))


async def test_a_date_on_the_wire(backend: Standalone, bucket: str) -> None:
    body = (
        b"<LifecycleConfiguration><Rule><Status>Enabled</Status><Prefix/><Expiration><Date>2027-01-01</Date></Expiration>"
        b"</Rule></LifecycleConfiguration>"
    )
    await answer(
        backend, S3Request("PUT", "PutBucketLifecycleConfiguration", bucket, query=[("lifecycle", "")], body=body)
    )
    response, _ = await answer(backend, codec.build_request("GetBucketLifecycleConfiguration", {"Bucket": bucket}))
    assert isinstance(response.body, bytes)
    assert b"<Date>2027-01-01T00:00:00.000Z</Date>" in response.body
