from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from unit.s3.codec.samples import XML_TEXT

from s3d.s3.codec import xml_write


def written(structure: str, value: dict[str, Any]) -> str:
    parts: list[str] = []
    xml_write.content(structure)(value, parts.append)
    return "".join(parts)


def test_a_document() -> None:
    body = xml_write.document("Tagging", lambda append: append("<TagSet></TagSet>"))
    assert body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet></TagSet></Tagging>'
    )


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain", "plain"),
        ('a<b>&"c"', "a&lt;b&gt;&amp;&quot;c&quot;"),
        ("\r\n\t", "&#13;&#10;&#9;"),
        ("\x01\uffff", "&#1;&#65535;"),
        ("\u00e9\u2028\U0001f600\u00a0", "\u00e9\u2028\U0001f600\u00a0"),
        ("&amp;", "&amp;amp;"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    assert xml_write.escape(text) == escaped


@given(XML_TEXT)
def test_another_parser_reads_the_text(text: str) -> None:
    body = xml_write.document("R", lambda append: append(xml_write.escape(text)))
    assert (ElementTree.fromstring(body).text or "") == text


def test_bytes_that_are_not_utf8_stay_as_they_are() -> None:
    body = xml_write.document("R", lambda append: append(xml_write.escape("a\udcff<")))
    assert b">a\xff&lt;<" in body


def test_lists() -> None:
    assert written("Delete", {"Objects": [{"Key": "a"}, {"Key": "b"}]}) == (
        "<Object><Key>a</Key></Object><Object><Key>b</Key></Object>"
    )
    assert written("Tagging", {"TagSet": [{"Key": "a", "Value": "b"}]}) == (
        "<TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet>"
    )
    assert written("Tagging", {"TagSet": []}) == "<TagSet></TagSet>"


def test_scalars_and_none() -> None:
    assert written("Delete", {"Objects": None, "Quiet": False}) == "<Quiet>false</Quiet>"
    assert written("ObjectIdentifier", {"Key": "", "Size": 5}) == "<Key></Key><Size>5</Size>"


def test_attributes() -> None:
    assert written("Grant", {"Grantee": {"URI": "u", "Type": 'G"'}, "Permission": "READ"}) == (
        '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="G&quot;"><URI>u</URI></Grantee>'
        "<Permission>READ</Permission>"
    )


def test_unknown_member() -> None:
    with pytest.raises(ValueError, match="Tag has no member Kee"):
        written("Tag", {"Kee": "a"})
