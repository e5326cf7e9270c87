"""Errors and their XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from botocore.parsers import RestXMLParser
from hypothesis import given
from hypothesis import strategies as st

from s3d.s3.errors import STATUS, RemoteUnreachable, S3Error, error_response


@pytest.mark.parametrize("code", STATUS)
def test_every_code(code: str) -> None:
    error = S3Error(code)
    response = error_response(error, resource="/b/k", request_id="R")
    assert response.status == error.status == STATUS[code][0]
    if response.status == 304:
        assert (response.body, list(response.headers)) == (b"", [])
        return
    assert response.headers["Content-Type"] == "application/xml"
    assert isinstance(response.body, bytes)
    assert response.headers["Content-Length"] == str(len(response.body))
    found = {element.tag: element.text for element in ET.fromstring(response.body)}
    assert found == {"Code": code, "Message": STATUS[code][1], "Resource": "/b/k", "RequestId": "R"}


def test_botocore_reads_it() -> None:
    error = S3Error("NoSuchKey", "a < b & c", elements={"Key": "<k>"}, headers={"X-A": "1"})
    response = error_response(error, resource="/b/<k>", request_id="R")
    parsed = RestXMLParser().parse({"body": response.body, "headers": dict(response.headers), "status_code": 404}, None)
    assert parsed["Error"] == {"Code": "NoSuchKey", "Message": "a < b & c", "Key": "<k>", "Resource": "/b/<k>"}
    assert response.headers["X-A"] == "1"


def test_head_has_no_body_but_its_length() -> None:
    response = error_response(S3Error("NoSuchKey"), resource="/", request_id="R", head=True)
    assert response.body == b""
    assert int(response.headers["Content-Length"]) > 0


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_is_well_formed_xml(text: str) -> None:
    error = S3Error("InvalidArgument", text, elements={"ArgumentValue": text})
    body = error_response(error, resource=text, request_id="R").body
    assert isinstance(body, bytes)
    assert len(ET.fromstring(body)) == 5


@pytest.mark.parametrize("char", ["\0", "\r", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_what_xml_cannot_say_is_replaced(char: str) -> None:
    body = error_response(S3Error("InvalidArgument", f"a{char}\t\n<b>"), resource="/", request_id="R").body
    assert isinstance(body, bytes)
    assert ET.fromstring(body).findtext("Message") == "a\ufffd\t\n<b>"


def test_unreachable() -> None:
    error = RemoteUnreachable("gone", retry_after=7)
    response = error_response(error, resource="/", request_id="R")
    assert (response.status, response.headers["Retry-After"]) == (503, "7")
    assert isinstance(error, S3Error)
    assert str(error) == "ServiceUnavailable: gone"


def test_an_unknown_code_is_a_defect() -> None:
    with pytest.raises(KeyError):
        S3Error("Nonsense")
