"""Every operation, both ways: what one side builds the other side parses to the same members."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from unit.s3.codec import samples

from s3d.s3 import codec, routing
from s3d.s3.model import OPERATIONS

NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)  # a defect in a loop fails hundreds of these
FEW = settings(max_examples=8, phases=NO_SHRINKING, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", samples.OPERATIONS)
@FEW
@given(data=st.data())
def test_request(name: str, data: st.DataObject) -> None:
    members: dict[str, Any] = data.draw(samples.members(OPERATIONS[name].input))
    request = codec.build_request(name, members)
    assert isinstance(request.body, bytes)
    parsed = codec.parse_request(request, request.body)
    if "ContentMD5" not in members:
        parsed.pop("ContentMD5", None)
    assert parsed == members


@pytest.mark.parametrize("name", samples.OPERATIONS)
@FEW
@given(data=st.data())
def test_response(name: str, data: st.DataObject) -> None:
    members = data.draw(samples.members(OPERATIONS[name].output))
    response = codec.build_response(name, members)
    assert response.status == OPERATIONS[name].status
    assert isinstance(response.body, bytes)
    assert codec.parse_response(name, response, response.body) == members


@pytest.mark.parametrize("name", samples.OPERATIONS)
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_minimal_request_routes_to_its_operation(name: str, data: st.DataObject) -> None:
    members = data.draw(samples.members(OPERATIONS[name].input, minimal=True))
    request = codec.build_request(name, members)
    routed = routing.route(request.method, request.bucket, request.key, request.query, request.headers)
    assert routed == (OPERATIONS[name].twin_of or name)
    if OPERATIONS[name].twin_of:
        query = [*request.query, ("x-id", name)]
        assert routing.route(request.method, request.bucket, request.key, query, request.headers) == name


@pytest.mark.parametrize("name", samples.OPERATIONS)
@FEW
@given(data=st.data())
def test_any_request_routes_to_its_operation(name: str, data: st.DataObject) -> None:
    request = codec.build_request(name, data.draw(samples.members(OPERATIONS[name].input)))
    routed = routing.route(request.method, request.bucket, request.key, request.query, request.headers)
    assert routed == (OPERATIONS[name].twin_of or name)
