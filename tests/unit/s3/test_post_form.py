import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.s3.post_form import MAX_BEFORE_FILE, MAX_FIELDS, Parser, boundary_of, success, to_put_request

BOUNDARY = b"----WebKitFormBoundaryABC"


def part(name: str, value: bytes, extra: bytes = b"", headers: bytes = b"") -> bytes:
    disposition = b'Content-Disposition: form-data; name="%b"%b\r\n' % (name.encode(), extra)
    return b"--" + BOUNDARY + b"\r\n" + disposition + headers + b"\r\n" + value + b"\r\n"


def form(fields: dict[str, str], content: bytes, *, file_name: str | None = "a.txt", tail: bytes = b"") -> bytes:
    extra = b"" if file_name is None else b'; filename="%b"' % file_name.encode()
    body = b"".join(part(name, value.encode()) for name, value in fields.items())
    return body + part("file", content, extra, b"Content-Type: text/plain\r\n") + tail + b"--" + BOUNDARY + b"--\r\n"


def parse(*pieces: bytes) -> tuple[Parser, bytes]:
    parser = Parser(BOUNDARY)
    content = b"".join(piece for data in pieces for piece in parser.feed(data))
    parser.finish()
    assert parser.complete
    return parser, content


def code_of(body: bytes) -> str:
    """The code of the error, which must be the same for the body whole and byte by byte."""
    codes = set()
    for pieces in ([body], [body[i : i + 1] for i in range(len(body))]):
        with pytest.raises(S3Error) as caught:
            parse(*pieces)
        codes.add(caught.value.code)
    (code,) = codes
    return code


def test_a_form_whole():
    parser, content = parse(form({"key": "k", "Content-Type": "image/png"}, b"hello\r\n"))
    assert content == b"hello\r\n"
    assert parser.fields == {"key": "k", "content-type": "image/png"}
    assert parser.file_name == "a.txt"
    assert parser.file_content_type == "text/plain"


TRICKY = [
    b"",
    b"\r",
    b"\r\n",
    b"\r\n--",
    b"\r\n--" + BOUNDARY[:-1],
    b"\r\r\n--" + BOUNDARY[:5] + b"\r\n-",
    b"--" + BOUNDARY,
]


@pytest.mark.parametrize("content", TRICKY)
def test_content_that_resembles_a_boundary_cut_at_every_byte(content):
    body = b"preamble\r\n" + form({"key": "k", "acl": "private"}, content)
    assert parse(*(body[i : i + 1] for i in range(len(body))))[1] == content
    for cut in range(len(body) + 1):
        parser, found = parse(body[:cut], body[cut:])
        assert found == content, cut
        assert parser.fields == {"key": "k", "acl": "private"}


@given(
    st.binary(max_size=300),
    st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True), st.text("ab\r\n-é")),
    st.data(),
)
def test_any_form_however_it_is_cut(content, fields, data):
    fields.pop("file", None)
    body = form(fields, content)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    parser, found = parse(*(body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)))
    assert found == content
    assert parser.fields == fields


def test_a_form_that_ends_early_is_never_complete():
    body = form({"key": "k"}, b"hello")
    for cut in range(len(body) - len(b"--\r\n")):
        parser = Parser(BOUNDARY)
        parser.feed(body[:cut])
        assert not parser.complete
        with pytest.raises(S3Error, match="MalformedPOSTRequest"):
            parser.finish()


def test_memory_is_constant_and_content_is_not_copied():
    parser = Parser(BOUNDARY)
    parser.feed(form({"key": "k"}, b"").partition(b"text/plain\r\n\r\n")[0] + b"text/plain\r\n\r\n")
    assert parser.file_reached
    block = b"x" * 100_000
    (piece,) = parser.feed(block)
    assert piece is block
    assert parser.feed(b"\r\n--") == []
    assert b"".join(parser.feed(block)) == b"\r\n--" + block


def test_fields_are_known_before_the_content():
    parser = Parser(BOUNDARY)
    head, _, rest = form({"key": "k"}, b"hello").partition(b"hello")
    assert parser.feed(head[:-1]) == []
    assert not parser.file_reached
    parser.feed(head[-1:])
    assert parser.file_reached
    assert parser.fields == {"key": "k"}
    assert b"".join(parser.feed(b"hello" + rest)) == b"hello"


def test_what_follows_the_file_is_ignored():
    tail = part("submit", b"Upload") + part("file", b"second", b'; filename="b"') + part("late", b"x" * MAX_BEFORE_FILE)
    parser, content = parse(form({"key": "k"}, b"hello", tail=tail))
    assert content == b"hello"
    assert parser.fields == {"key": "k"}
    assert parser.feed(b"garbage") == []


def test_names_have_no_case_and_the_first_value_counts():
    body = part("KEY", b"first") + part("key", b"second") + form({}, b"")
    assert parse(body)[0].fields == {"key": "first"}


def test_a_field_with_a_file_name_is_a_field():
    """The library `requests` sends all fields so when they are passed as ``files``."""
    body = part("key", b"k", b'; filename="key"') + form({}, b"x")
    assert parse(body)[0].fields == {"key": "k"}


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        (b"", None),
        (b'; filename=""', ""),
        (b"; filename=a.txt", "a.txt"),
        (b';filename="a;b=c.txt" ', "a;b=c.txt"),
        (b'; filename="say \\"hi\\".txt"', 'say "hi".txt'),
        (b'; FileName="C:\\dir\\a.txt"', "C:\\dir\\a.txt"),
        ('; filename="é€.txt"'.encode(), "é€.txt"),
        (b'; filename="\xff"', "\udcff"),
    ],
)
def test_file_names(extra, name):
    assert parse(part("file", b"x", extra) + b"--" + BOUNDARY + b"--")[0].file_name == name


@pytest.mark.parametrize(
    ("key", "file_name", "expanded"),
    [
        ("a/${filename}", "b.txt", "a/b.txt"),
        ("${filename}/${filename}", "b", "b/b"),
        ("${filename}", "C:\\dir\\b.txt", "b.txt"),
        ("${filename}", "/dir/b.txt", "b.txt"),
        ("a/${filename}", "", "a/"),
        ("a/${filename}", None, "a/${filename}"),
        ("${filename}", "${filename}", "${filename}"),
        ("${FILENAME}", "b", "${FILENAME}"),
    ],
)
def test_file_name_in_the_key(key, file_name, expanded):
    parser, _ = parse(form({"key": key, "x-amz-meta-a": "${filename}"}, b"", file_name=file_name))
    assert parser.fields == {"key": expanded, "x-amz-meta-a": "${filename}"}


def test_padding_behind_the_boundary():
    body = form({"key": "k"}, b"x").replace(BOUNDARY + b"\r\n", BOUNDARY + b" \t\r\n").replace(b"--\r\n", b"--")
    assert parse(body)[1] == b"x"


GOOD = part("key", b"k")
MALFORMED = {
    "empty": b"",
    "no boundary": b"key=k&file=x",
    "other boundary": GOOD.replace(BOUNDARY, b"other"),
    "something behind the boundary": GOOD.replace(BOUNDARY, BOUNDARY + b"x") + form({}, b""),
    "no headers": b"--" + BOUNDARY + b"\r\n\r\nvalue\r\n--" + BOUNDARY + b"--\r\n",
    "no disposition": GOOD.replace(b"Content-Disposition", b"Content-Type"),
    "another disposition": GOOD.replace(b"form-data", b"file"),
    "no name": GOOD.replace(b"name=", b"nam="),
    "header without a colon": GOOD.replace(b"Content-Disposition:", b"Content-Disposition"),
    "header without a name": GOOD.replace(b"Content-Disposition", b""),
    "space in front of the colon": part("key", b"k", headers=b"X : y\r\n") + form({}, b""),
    "folded header": part("key", b"k", headers=b"X: y\r\n z: a\r\n") + form({}, b""),
    "bare line feeds": GOOD.replace(b"\r\n", b"\n"),
    "something behind the last boundary": form({"key": "k"}, b"x").replace(b"--\r\n", b"xx\r\n"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name):
    assert code_of(MALFORMED[name]) == "MalformedPOSTRequest"


def test_no_file():
    body = GOOD + b"--" + BOUNDARY + b"--\r\n"
    assert code_of(body) == "InvalidArgument"
    with pytest.raises(S3Error) as caught:
        parse(body)
    assert caught.value.message == "POST requires exactly one file upload per request."
    assert caught.value.elements == {"ArgumentName": "file", "ArgumentValue": "0"}


def test_the_limit_of_the_fields():
    half = "x" * (MAX_FIELDS // 2 - 1)
    assert parse(form({"a": half, "b": half}, b"y" * MAX_FIELDS))[1] == b"y" * MAX_FIELDS
    with pytest.raises(S3Error) as caught:
        parse(form({"a": half, "b": half + "x"}, b""))
    assert caught.value.code == "MaxPostPreDataLengthExceededError"
    assert caught.value.elements == {"MaxPostPreDataLengthBytes": "20480"}


FLOODS = {
    "value": b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
    "preamble": b"",
    "headers": b"--" + BOUNDARY + b"\r\n",
}


@pytest.mark.parametrize("name", FLOODS)
def test_floods_are_refused_while_they_arrive(name):
    with pytest.raises(S3Error, match="MaxPostPreDataLengthExceededError"):
        parse(FLOODS[name], *[b"x" * 1000] * 100)


def test_many_small_parts_are_refused_in_one_piece():
    with pytest.raises(S3Error, match="MaxPostPreDataLengthExceededError"):
        parse(part("a", b"") * 1000 + form({}, b""))


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_s3_errors(garbage):
    for start in (b"", b"--" + BOUNDARY, b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file'):
        with pytest.raises(S3Error):
            parse(start + garbage)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b;c"', b"a b;c"),
        ("Multipart/Form-Data;BOUNDARY=abc", b"abc"),
        ("multipart/form-data; charset=utf-8; boundary=abc", b"abc"),
        ("multipart/form-data; boundary=abc; charset=utf-8", b"abc"),
        ("multipart/form-data; boundary=" + "x" * 70, b"x" * 70),
    ],
)
def test_boundaries(content_type, boundary):
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("text/html", "PreconditionFailed"),
        ("", "PreconditionFailed"),
        ("multipart/form-data-x; boundary=a", "PreconditionFailed"),
        ("application/x-www-form-urlencoded", "PreconditionFailed"),
        ("multipart/form-data", "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=", "MalformedPOSTRequest"),
        ('multipart/form-data; boundary=""', "MalformedPOSTRequest"),
        ('multipart/form-data; boundary="a', "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=é", "MalformedPOSTRequest"),
        ("multipart/form-data; boundary=" + "x" * 300, "MalformedPOSTRequest"),
    ],
)
def test_content_types_without_a_boundary(content_type, code):
    with pytest.raises(S3Error) as caught:
        boundary_of(content_type)
    assert caught.value.code == code


def test_put_request():
    fields = {
        "key": "a/b",
        "acl": "public-read",
        "content-type": "image/png",
        "cache-control": "no-cache",
        "content-disposition": "attachment",
        "content-encoding": "gzip",
        "expires": "Thu, 01 Dec 2030 16:00:00 GMT",
        "x-amz-meta-name": "é",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "id",
        "x-amz-website-redirect-location": "/x",
        "x-amz-checksum-sha256": "c",
    }
    request = to_put_request("bucket", fields)
    assert (request.method, request.operation, request.bucket, request.key) == ("PUT", "PutObject", "bucket", "a/b")
    expected = {name: value for name, value in fields.items() if name not in ("key", "acl")}
    assert dict(request.headers) == expected | {"x-amz-acl": "public-read"}


UNTYPED = {"Content-Type": "binary/octet-stream"}
"""S3's default for an object whose form names no type."""


def test_fields_that_are_no_properties_of_the_object():
    names = (
        "bucket policy signature awsaccesskeyid x-amz-signature x-amz-credential x-amz-algorithm x-amz-date redirect "
        "x-amz-security-token success_action_redirect success_action_status x-ignore-a submit authorization host "
        "content-length x-amz-copy-source x-amz-content-sha256 x-amz-trailer transfer-encoding range if-match"
    )
    assert dict(to_put_request("b", {"key": "k"} | dict.fromkeys(names.split(), "v")).headers) == UNTYPED


@pytest.mark.parametrize("fields", [{}, {"key": ""}])
def test_no_key(fields):
    with pytest.raises(S3Error) as caught:
        to_put_request("b", fields)
    assert caught.value.code == "InvalidArgument"
    assert caught.value.elements == {"ArgumentName": "key", "ArgumentValue": ""}


@pytest.mark.parametrize("name", ["acl", "content-type", "x-amz-storage-class"])
@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\0", "\x7f"])
def test_values_that_no_header_can_hold(name, value):
    with pytest.raises(S3Error, match="InvalidArgument"):
        to_put_request("b", {"key": "k", name: value})


def test_metadata_that_no_header_can_hold():
    request = to_put_request("b", {"key": "k", "x-amz-meta-a": "\x00\x01\x02\x03\x04"})
    assert dict(request.headers) == {"x-amz-meta-a": "=?UTF-8?B?AAECAwQ=?=", **UNTYPED}


TAGS = "<TagSet><Tag><Key>a b</Key><Value>1&amp;2</Value></Tag><Tag><Key>c</Key><Value></Value></Tag></TagSet>"


@pytest.mark.parametrize(
    ("document", "header"),
    [
        (f"<Tagging>{TAGS}</Tagging>", "a%20b=1%262&c="),
        (f'<?xml version="1.0" encoding="UTF-8"?><Tagging xmlns="urn:x">{TAGS}</Tagging>', "a%20b=1%262&c="),
        ("<Tagging><TagSet></TagSet></Tagging>", None),
        ("<InvalidXmlTagging></InvalidXmlTagging>", None),
        ("", None),
    ],
)
def test_tagging(document, header):
    assert to_put_request("b", {"key": "k", "tagging": document}).headers.get("x-amz-tagging") == header


@pytest.mark.parametrize(
    "document", ["not-xml", "<Tagging>", '<!DOCTYPE a [<!ENTITY b "c">]><Tagging>&b;</Tagging>', "<a>\udcff</a>", "\0"]
)
def test_malformed_tagging(document):
    with pytest.raises(S3Error, match="MalformedXML"):
        to_put_request("b", {"key": "k", "tagging": document})


def answer(**fields: str) -> S3Response:
    headers = {"ETag": '"e"', "x-amz-version-id": "1", "Content-Length": "0", "Content-Type": "text/plain"}
    put = S3Response(200, CIMultiDict(headers))
    response = success(put, fields, bucket="b", key="ä/x & y", bucket_url="http://localhost:33333/b")
    assert dict(put.headers) == headers
    return response


LOCATION = "http://localhost:33333/b/%C3%A4%2Fx%20%26%20y"


@pytest.mark.parametrize("status", [None, "204", "404", "", "201 "])
def test_success_is_204(status):
    response = answer() if status is None else answer(success_action_status=status)
    assert (response.status, response.body) == (204, b"")
    assert dict(response.headers) == {"ETag": '"e"', "x-amz-version-id": "1", "Location": LOCATION}


def test_success_200():
    response = answer(success_action_status="200")
    assert (response.status, response.body) == (200, b"")
    assert dict(response.headers) == {
        "ETag": '"e"',
        "x-amz-version-id": "1",
        "Location": LOCATION,
        "Content-Length": "0",
    }


def test_success_201():
    response = answer(success_action_status="201")
    assert response.status == 201
    assert response.headers["Content-Type"] == "application/xml"
    assert response.headers["Content-Length"] == str(len(response.body))
    assert response.headers["Location"] == LOCATION
    root = ET.fromstring(response.body)
    assert root.tag == "PostResponse"
    found = {element.tag: element.text for element in root}
    assert found == {"Location": LOCATION, "Bucket": "b", "Key": "ä/x & y", "ETag": '"e"'}


@pytest.mark.parametrize("field", ["success_action_redirect", "redirect"])
@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://h/p", "http://h/p?{}"),
        ("https://h/p?a=b c", "https://h/p?a=b c&{}"),
        ("HTTPS://h/p#top", "HTTPS://h/p?{}#top"),
        ("http://h/ü", "http://h/%C3%BC?{}"),
    ],
)
def test_redirects(field, url, location):
    response = answer(**{field: url, "success_action_status": "201"})
    assert (response.status, response.body) == (303, b"")
    assert response.headers["Location"] == location.format("bucket=b&key=%C3%A4%2Fx+%26+y&etag=%22e%22")
    assert response.headers["Content-Length"] == "0"


@pytest.mark.parametrize("url", ["/relative", "javascript:alert(1)", "", "http://h/\r\nSet-Cookie: a", "ftp://h/"])
def test_redirects_that_are_none(url):
    assert answer(success_action_redirect=url).status == 204


def test_the_newer_name_of_the_redirect_counts():
    response = answer(redirect="http://old/", success_action_redirect="http://new/")
    assert response.headers["Location"].startswith("http://new/?")
