from __future__ import annotations

import json
from typing import Any

import pytest
from conformance.calling import answer, call, refused

from s3d.s3 import codec
from s3d.standalone.backend import Standalone
from s3d.standalone.policy import is_public

STATEMENT: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": ["s3:GetObject", "s3:ListBucket"],
    "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"],
}


def policy(*statements: Any, **changes: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements) or [STATEMENT], **changes}, indent=2)


def statement(*without: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (STATEMENT | changes).items() if name not in without}


async def put(backend: Standalone, bucket: str, text: str) -> None:
    response, _ = await answer(backend, codec.build_request("PutBucketPolicy", {"Bucket": bucket, "Policy": text}))
    assert response.status == 204


async def test_a_policy_comes_back_as_it_was_put(backend: Standalone, bucket: str) -> None:
    at = {"Bucket": bucket}
    for operation in ("GetBucketPolicy", "GetBucketPolicyStatus"):
        with refused(404, "NoSuchBucketPolicy", elements={"BucketName": bucket}):
            await call(backend, operation, at)
    text = policy() + "\n\n"
    await put(backend, bucket, text)
    response, found = await answer(backend, codec.build_request("GetBucketPolicy", at))
    assert found == {"Policy": text}
    assert response.headers["Content-Type"] == "application/json"
    for _ in range(2):
        await call(backend, "DeleteBucketPolicy", at)
    with refused(404, "NoSuchBucketPolicy"):
        await call(backend, "GetBucketPolicy", at)


@pytest.mark.parametrize(
    "text",
    [
        policy(STATEMENT, Id="an id"),
        policy(Version="2008-10-17"),
        json.dumps({"Statement": STATEMENT}),
        policy(
            statement(Effect="Deny", Principal="*", Sid="one", Condition={"Bool": {"aws:SecureTransport": "false"}})
        ),
        policy(statement("Principal", "Action", "Resource", NotPrincipal="*", NotAction="s3:*", NotResource="*")),
        policy(statement(Action="*", Resource="arn:aws:s3:::*")),
        policy(statement(Action="S3:GetObject", Resource="arn:aws-cn:s3:::buck??/a/b/*")),
        policy(statement(Principal={"AWS": ["1", "2"], "Service": "logging.s3.amazonaws.com"})),
        policy(statement(Sid="é")),
    ],
)
async def test_policies_that_are_taken(backend: Standalone, bucket: str, text: str) -> None:
    await put(backend, bucket, text)
    assert (await call(backend, "GetBucketPolicy", {"Bucket": bucket}))["Policy"] == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        '"policy"',
        "[" * 5000,
        '{"Statement": "\udcff"}',
        "{}",
        '{"Statement": []}',
        '{"Statement": ["x"]}',
        policy(Version="2020-01-01"),
        policy(statement("Effect")),
        policy(statement(Effect="allow")),
        policy(statement("Principal")),
        policy(statement(NotPrincipal="*")),
        policy(statement(Principal="me")),
        policy(statement(Principal={})),
        policy(statement(Principal={"AWS": []})),
        policy(statement("Action")),
        policy(statement(Action=[])),
        policy(statement(Action=1)),
        policy(statement(Action="ec2:RunInstances")),
        policy(statement("Resource")),
        policy(statement(Resource="arn:aws:s3:::other/*")),
        policy(statement(Resource="arn:aws:s3:::bucket2")),
        policy(statement(Resource="arn:aws:s3:::")),
        policy(statement(Resource="bucket/*")),
        policy(statement(Resource=["arn:aws:s3:::bucket", ""])),
        policy(statement(Condition="always")),
        policy(statement(Sid="x" * 20_480)),
    ],
)
async def test_policies_that_are_refused(backend: Standalone, bucket: str, text: str) -> None:
    with refused(400, "MalformedPolicy", "MalformedXML" if not text else "MalformedPolicy"):
        await call(backend, "PutBucketPolicy", {"Bucket": bucket, "Policy": text})
    with refused(404, "NoSuchBucketPolicy"):
        await call(backend, "GetBucketPolicy", {"Bucket": bucket})


async def test_the_largest_policy(backend: Standalone, bucket: str) -> None:
    text = policy(statement(Sid=""))
    text = text.replace('"Sid": ""', f'"Sid": "{"x" * (20_480 - len(text))}"')
    assert len(text) == 20_480
    await put(backend, bucket, text)


@pytest.mark.parametrize(
    ("changes", "public"),
    [
        ({}, False),
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": ["1", "*"]}}, True),
        ({"Principal": {"Service": "*"}}, False),
        ({"Principal": "*", "Effect": "Deny"}, False),
        ({"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}}, False),
        ({"Principal": "*", "Condition": {}}, True),
    ],
)
async def test_public_policies(backend: Standalone, bucket: str, changes: dict[str, Any], public: bool) -> None:
    text = policy(STATEMENT, statement(**changes))
    assert is_public(text) == public
    await put(backend, bucket, text)
    assert await call(backend, "GetBucketPolicyStatus", {"Bucket": bucket}) == {"PolicyStatus": {"IsPublic": public}}


async def test_public_policies_that_are_blocked(backend: Standalone, bucket: str) -> None:
    block = {"PublicAccessBlockConfiguration": {"BlockPublicPolicy": True}}
    await call(backend, "PutPublicAccessBlock", {"Bucket": bucket, **block})
    await put(backend, bucket, policy())
    with refused(403, "AccessDenied"):
        await call(backend, "PutBucketPolicy", {"Bucket": bucket, "Policy": policy(statement(Principal="*"))})
    assert (await call(backend, "GetBucketPolicy", {"Bucket": bucket}))["Policy"] == policy()


async def test_wildcards_cost_no_time(backend: Standalone) -> None:
    """Trying all places for each of forty pieces would take years."""
    name = "a" * 63
    await call(backend, "CreateBucket", {"Bucket": name})
    for resource, fits in {
        "*a" * 40 + "*b": False,
        "*a" * 40 + "b*": False,
        "*a" * 63: True,
        "*a" * 64: False,
        "?" * 63: True,
        "a*?*" + "a" * 61: True,
        "a*?*" + "a" * 62: False,
        "*": True,
        "**": True,
    }.items():
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{resource}/*",
        }
        policy = {"Bucket": name, "Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
        if fits:
            await call(backend, "PutBucketPolicy", policy)
        else:
            with refused(400, "MalformedPolicy"):
                await call(backend, "PutBucketPolicy", policy)
