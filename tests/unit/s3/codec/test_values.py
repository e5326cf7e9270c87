from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3d.s3.codec import values

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 02 Jan 2026 03:04:05 GMT",
        "Friday, 02-Jan-26 03:04:05 GMT",
        "Fri Jan  2 03:04:05 2026",
        "Fri, 02 Jan 2026 04:04:05 +0100",
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.000Z",
        "2026-01-02T04:04:05+01:00",
        "20260102T030405Z",
        "2026-01-02 03:04:05",
    ],
)
def test_dates_in_every_form_that_clients_send(text: str) -> None:
    parsed = values.parse_timestamp(text)
    assert parsed == TIME
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["", "0", "yesterday", "2026-13-01", "Fri, 99 Jan 2026 03:04:05 GMT", "12345678901234"]
)
def test_bad_dates(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid date"):
        values.parse_timestamp(text)


@given(st.text() | st.text("0123456789-:TZ+. ,JanFriGMT"))
def test_a_date_is_parsed_or_refused(text: str) -> None:
    try:
        assert values.parse_timestamp(text).tzinfo is UTC
    except ValueError as error:
        assert str(error) == "not a valid date"  # noqa: PT017 - either outcome is fine


def test_formats() -> None:
    shifted = TIME.astimezone(timezone(timedelta(hours=5)))
    assert values.format_http_date(shifted) == "Fri, 02 Jan 2026 03:04:05 GMT"
    assert values.format_iso8601(shifted) == "2026-01-02T03:04:05.000Z"
    assert values.format_iso8601(TIME.replace(microsecond=678_999)) == "2026-01-02T03:04:05.678Z"


@pytest.mark.parametrize("text", ["-1", "+1", "1.0", "1e3", "1_000", " 1", "", "²", "٣", "2147483648", "9" * 30])
def test_bad_counts(text: str) -> None:
    parse = values.http_parser("integer")
    assert parse is not None
    with pytest.raises(ValueError, match=r"^not "):
        parse(text)


def test_numbers() -> None:
    integer, long, xml = values.http_parser("integer"), values.http_parser("long"), values.xml_parser("integer")
    assert integer is not None
    assert long is not None
    assert xml is not None
    assert integer("2147483647") == 2**31 - 1
    assert long("9223372036854775807") == 2**63 - 1
    assert [xml(text) for text in ("\n 7 ", "+7", "-7")] == [7, 7, -7]
    with pytest.raises(ValueError, match="integer"):
        xml("--7")


def test_booleans() -> None:
    http, xml = values.http_parser("boolean"), values.xml_parser("boolean")
    assert http is not None
    assert xml is not None
    assert [http("true"), http("False")] == [True, False]
    assert [xml("1"), xml(" false ")] == [True, False]
    with pytest.raises(ValueError, match="neither true nor false"):
        http("1")


def test_closed_enumerations_are_checked_in_queries_only() -> None:
    parse = values.http_parser("EncodingType")
    assert parse is not None
    assert parse("url") == "url"
    with pytest.raises(ValueError, match="not one of url"):
        parse("html")
    assert values.xml_parser("EncodingType") is None


def test_comma_lists() -> None:
    assert values.parse_comma_list("ETag, Checksum,,ObjectParts ") == ["ETag", "Checksum", "ObjectParts"]
    format_list = values.http_formatter("[,]string")
    assert format_list is not None
    assert format_list(["a", "b"]) == "a,b"


def test_a_structure_has_no_place_in_a_header() -> None:
    with pytest.raises(ValueError, match="no place"):
        values.http_parser("Tag")
