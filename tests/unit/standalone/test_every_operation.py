"""Whatever the model knows has an answer: never an internal error, and 501 for what is not there."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.calling import body_of, call, respond

from s3d.s3 import codec, model
from s3d.s3.message import S3Request
from s3d.s3.model import OPERATIONS
from s3d.standalone.backend import Standalone

SAMPLES: dict[str, Any] = {"string": "1", "integer": 1, "long": 1, "boolean": True}


def sample(kind: str) -> Any:
    """A value of a type, with what it must have and nothing else."""
    if kind.startswith("["):
        return [sample(kind[kind.index("]") + 1 :])]
    if model.is_structure(kind):
        return {element.name: sample(element.type) for element in model.elements(kind) if element.required}
    values = model.enumeration(kind)
    return values[0] if values else SAMPLES[kind]


def minimal(operation: str, bucket: str, key: str) -> dict[str, Any]:
    """The members that a request must have."""
    members = {}
    for member in OPERATIONS[operation].input:
        if member.location in ("bucket", "key"):
            members[member.name] = bucket if member.location == "bucket" else key
        elif member.required and member.location != "stream":
            members[member.name] = sample(member.type)
    return members


def payloads(operation: str) -> dict[str, Any]:
    """The members of the body, as little as they may be, also where the model does not ask for one."""
    return {m.name: sample(m.type) for m in OPERATIONS[operation].input if m.location == "payload"}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_has_an_answer(backend: Standalone, bucket: str, operation: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "key"}, b"content")
    for where, key in (
        ("missing", "key"),
        ("a\udcff", "key"),
        (bucket, "missing"),
        (bucket, "\udcff\0"),
        (bucket, "key"),
    ):
        for more in ({}, payloads(operation)):
            request = codec.build_request(operation, minimal(operation, where, key) | more)
            request.bucket = request.bucket or where
            response = await respond(backend, request)
            data = await body_of(response)
            if response.status >= 300:
                error = codec.parse_error(response, data)
                assert response.status < 500 or error.code == "NotImplemented", f"{error.code}: {error.message}"


async def test_what_no_operation_is(backend: Standalone) -> None:
    request = S3Request("PUT", "Unknown", "bucket", "key", [("future", "")])  # an object must not come of it
    response = await respond(backend, request)
    assert (response.status, codec.parse_error(response, await body_of(response)).code) == (501, "NotImplemented")
