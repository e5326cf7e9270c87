"""botocore as an independent peer: it reads what we write, and we read what it writes, for every operation."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import HeadersDict
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from unit.s3.codec import samples

from s3d.s3 import codec, routing, uri
from s3d.s3.codec import values
from s3d.s3.message import S3Request
from s3d.s3.model import OPERATIONS

SERVICE = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("s3", "service-2"), "s3")
SERIALIZER = botocore.serialize.create_serializer("rest-xml", include_validation=False)
PARSER = botocore.parsers.create_parser("rest-xml")
HTTP_DATE = "Fri, 02 Jan 2026 03:04:05 GMT"

PARSED_BY_HANDLERS = {
    "GetBucketLocation": "botocore parses the region in an event handler",
    "SelectObjectContent": "an event stream",
}

NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)  # a defect in a loop fails hundreds of these
FEW = settings(max_examples=3, phases=NO_SHRINKING, deadline=None, suppress_health_check=list(HealthCheck))


def _sample(data: st.DataObject, rows: Any, full: bool) -> dict[str, Any]:
    members: dict[str, Any] = data.draw(samples.members(rows, full=full))
    if "Expires" in members:  # a date in botocore's model, text in ours
        members["Expires"] = HTTP_DATE
    return members


def _as_botocore_can(value: Any) -> Any:
    """Without what it cannot carry: parts of a second, ``\r`` (no reference in XML), bytes that are not UTF-8."""
    if isinstance(value, dict):
        return {name: _as_botocore_can(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_botocore_can(item) for item in value]
    if isinstance(value, datetime):
        return value.replace(microsecond=0)
    if isinstance(value, str):
        return value.replace("\r", "\n").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return value


def _request(name: str, members: dict[str, Any]) -> S3Request:
    """As botocore's serialiser writes it, and as s3d's server would take it apart."""
    wire = SERIALIZER.serialize_to_request(members, SERVICE.operation_model(name))
    path, _, literals = wire["url_path"].partition("?")
    bucket, _, key = path.lstrip("/").partition("/")
    query = parse_qsl(literals, keep_blank_values=True) + [(k, str(v)) for k, v in wire["query_string"].items()]
    body = wire["body"]
    body = body.encode() if isinstance(body, str) else body
    headers = CIMultiDict({k: v if isinstance(v, str) else str(v) for k, v in wire["headers"].items()})
    decoded = uri.unquote(bucket), uri.unquote(key)
    return S3Request(wire["method"], "", decoded[0] or None, decoded[1] or None, query, headers, body)


@pytest.mark.parametrize("full", [True, False], ids=["full", "some"])
@pytest.mark.parametrize("name", samples.OPERATIONS)
@FEW
@given(data=st.data())
def test_we_read_what_botocore_writes(name: str, full: bool, data: st.DataObject) -> None:
    members = _as_botocore_can(_sample(data, OPERATIONS[name].input, full))
    if "RequestRoute" in members:  # a part of the host name too, and checked as such
        members["RequestRoute"] = "route"
    request = _request(name, members)
    routed = routing.route(request.method, request.bucket, request.key, request.query, request.headers)
    assert routed == (OPERATIONS[name].twin_of or name)
    request.operation = name
    assert isinstance(request.body, bytes)
    assert codec.parse_request(request, request.body) == members


@pytest.mark.parametrize("full", [True, False], ids=["full", "some"])
@pytest.mark.parametrize("name", [name for name in samples.OPERATIONS if name not in PARSED_BY_HANDLERS])
@FEW
@given(data=st.data())
def test_botocore_reads_what_we_write(name: str, full: bool, data: st.DataObject) -> None:
    shape = SERVICE.operation_model(name).output_shape
    if shape is None:
        assert not OPERATIONS[name].output
        return
    members = _as_botocore_can(_sample(data, OPERATIONS[name].output, full))
    response = codec.build_response(name, members)
    wire = {"status_code": response.status, "headers": HeadersDict(response.headers), "body": response.body}
    parsed = PARSER.parse(wire, shape)
    del parsed["ResponseMetadata"]
    for member in OPERATIONS[name].output:
        if member.location == "stream":
            parsed.pop(member.name)
    if parsed.get("Metadata") == {}:  # botocore's way to say that there is none
        del parsed["Metadata"]
    if "Expires" in members:
        members["Expires"] = values.parse_timestamp(HTTP_DATE)
    if name == "GetBucketNotification":
        for configuration in parsed.values():
            configuration.pop("Event", None)  # the model's second name for the first of Events
    assert parsed == members
