"""POST Object: the multipart/form-data body of a browser upload, read piece by piece, and the PutObject that it means.

Everything before the part named ``file`` is a field of the form; the content of that part is the object; whatever follows
is ignored. Sources: RFC 7578 and RFC 2046 section 5.1 (the format), "POST Object" in the Amazon S3 API Reference (the
fields). Codes and wordings are those that S3 answers with, which is not in all cases what its table of errors says.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import ClassVar
from urllib.parse import quote_from_bytes, quote_plus
from xml.sax.saxutils import escape

from multidict import CIMultiDict

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.uri import format_query, quote

MAX_FIELDS = 20 * 1024
"""Bytes of the names and values of all fields in front of the file: S3's limit."""

MAX_BEFORE_FILE = 64 * 1024
"""Bytes of the body up to the content of the file, so that boundaries and part headers are limited as well."""

_PARAMETER_VALUE = r'(?:"((?:\\"|[^"])*)"|([^\s";]*))'
_BOUNDARY = re.compile(
    r"\s*multipart/form-data\s*;(?:.*;)?\s*boundary\s*=\s*" + _PARAMETER_VALUE + r"\s*(?:;.*)?", re.I
)
_PARAMETER = re.compile(r";\s*([^\s=;]+)\s*=\s*" + _PARAMETER_VALUE + r"\s*")


def boundary_of(content_type: str) -> bytes:
    """The boundary in a Content-Type. Raises PreconditionFailed if that is not multipart/form-data, MalformedPOSTRequest
    if there is no usable boundary."""
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        condition = "Bucket POST must be of the enclosure-type multipart/form-data"
        raise S3Error("PreconditionFailed", elements={"Condition": condition})
    match = _BOUNDARY.fullmatch(content_type)
    boundary = (match[1] or match[2] or "") if match else ""
    if not 0 < len(boundary) <= 256 or not boundary.isascii():  # RFC 2046 allows 70
        raise S3Error("MalformedPOSTRequest")
    return boundary.encode()


class _State(Enum):
    PREAMBLE = auto()  # in front of the first boundary
    HEADERS = auto()  # behind a boundary, up to the empty line behind the headers of the part
    FIELD = auto()  # in the value of a field
    FILE = auto()  # in the content of the file
    FILE_END = auto()  # in the two bytes behind the boundary that ends the file
    END = auto()


class Parser:
    """Reads one form. `feed` and `finish` raise S3Error: MalformedPOSTRequest, MaxPostPreDataLengthExceededError,
    InvalidArgument (the form has no file)."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        """Values by lower-case name; of several with one name the first counts. As soon as `file_reached`,
        ``${filename}`` in ``key`` is expanded."""
        self.file_name: str | None = None
        """As the browser sent it; None if it sent none."""
        self.file_content_type: str | None = None
        """Of the file's part. S3 takes no notice of it: the type of the object is the field ``Content-Type``."""
        self._delimiter = b"\r\n--" + boundary
        self._state = _State.PREAMBLE
        self._data = b"\r\n"  # the first boundary has no line in front of it
        self._at = 0
        self._before_file = 0
        self._fields_size = 0
        self._field = ""
        self._pieces: list[bytes] = []

    @property
    def file_reached(self) -> bool:
        """Whether all fields are there and the content of the file comes next."""
        return self._state in (_State.FILE, _State.FILE_END, _State.END)

    @property
    def complete(self) -> bool:
        """Whether all of the file has been handed out."""
        return self._state is _State.END

    def feed(self, data: bytes) -> list[bytes]:
        """The content of the file in the next bytes, in order."""
        if self.complete:
            return []
        self._data = self._data + data if self._data else data
        self._pieces = []
        while self._STEPS[self._state](self):
            pass
        self._data = self._data[self._at :] if self._state is not _State.END else b""
        self._at = 0
        if not self.file_reached and self._before_file + len(self._data) > MAX_BEFORE_FILE:
            raise _too_much()
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """To be called when the body has ended. Raises MalformedPOSTRequest if it did so early."""
        if self._state is not _State.END:
            raise S3Error("MalformedPOSTRequest")

    # One step a state: takes what it can from ``_data`` at ``_at``; False means that more bytes are needed.

    def _preamble(self) -> bool:
        end = self._data.find(self._delimiter, self._at)
        if end < 0:
            return False
        self._take(end + len(self._delimiter))
        self._state = _State.HEADERS
        return True

    def _headers(self) -> bool:
        if self._data.startswith(b"--", self._at):
            raise _file_count()
        end = self._data.find(b"\r\n\r\n", self._at)
        if end < 0:
            return False
        padding, *lines = self._data[self._at : end].split(b"\r\n")
        if padding.strip(b" \t"):
            raise S3Error("MalformedPOSTRequest")
        self._take(end + 4)
        self._begin_part(_part_headers(lines))
        return True

    def _value(self) -> bool:
        end = self._data.find(self._delimiter, self._at)
        size = (end if end >= 0 else len(self._data) - len(self._delimiter)) - self._at
        if self._fields_size + size > MAX_FIELDS:
            raise _too_much()
        if end < 0:
            return False
        self._fields_size += size
        self.fields.setdefault(self._field, _text(self._data[self._at : end]))
        self._take(end + len(self._delimiter))
        self._state = _State.HEADERS
        return True

    def _file(self) -> bool:
        end = self._data.find(self._delimiter, self._at)
        found = end >= 0
        if not found:
            end = self._possible_delimiter()
        if end > self._at:
            self._pieces.append(self._data[self._at : end])
        self._at = end
        if found:
            self._at += len(self._delimiter)
            self._state = _State.FILE_END
        return found

    def _file_end(self) -> bool:
        tail = self._data[self._at : self._at + 2]
        if len(tail) < 2:
            return False
        if tail not in (b"--", b"\r\n") and tail[:1] not in b" \t":
            raise S3Error("MalformedPOSTRequest")
        self._state = _State.END
        return True

    def _end(self) -> bool:
        return False

    _STEPS: ClassVar[dict[_State, Callable[[Parser], bool]]] = {
        _State.PREAMBLE: _preamble,
        _State.HEADERS: _headers,
        _State.FIELD: _value,
        _State.FILE: _file,
        _State.FILE_END: _file_end,
        _State.END: _end,
    }

    def _take(self, end: int) -> None:
        self._before_file += end - self._at
        self._at = end
        if self._before_file > MAX_BEFORE_FILE:
            raise _too_much()

    def _possible_delimiter(self) -> int:
        """Where in the last bytes a delimiter may begin whose rest has not arrived."""
        start = max(self._at, len(self._data) - len(self._delimiter) + 1)
        while (start := self._data.find(b"\r", start)) >= 0:
            if self._delimiter.startswith(self._data[start:]):
                return start
            start += 1
        return len(self._data)

    def _begin_part(self, headers: CIMultiDict[str]) -> None:
        disposition = headers.get("Content-Disposition", "")
        parameters = {
            name.lower(): (quoted or token).replace('\\"', '"')
            for name, quoted, token in _PARAMETER.findall(disposition)
        }
        if disposition.partition(";")[0].strip().lower() != "form-data" or "name" not in parameters:
            raise S3Error("MalformedPOSTRequest")
        name = parameters["name"].lower()
        if name != "file":
            self._field = name
            self._fields_size += len(name)
            self._state = _State.FIELD
            return
        self._state = _State.FILE
        self.file_name = parameters.get("filename")
        self.file_content_type = headers.get("Content-Type")
        self._expand_key()

    def _expand_key(self) -> None:
        """S3 leaves the variable as it is if the browser named no file, and uses "only the text following the last
        slash or backslash" of the name. This comes before the policy is checked."""
        if self.file_name is not None and "key" in self.fields:
            base_name = re.split(r"[/\\]", self.file_name)[-1]
            self.fields["key"] = self.fields["key"].replace("${filename}", base_name)


def _part_headers(lines: list[bytes]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, colon, value = _text(line).partition(":")
        if not colon or not name or name != name.strip():
            raise S3Error("MalformedPOSTRequest")
        headers.add(name, value.strip())
    return headers


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _too_much() -> S3Error:
    return S3Error("MaxPostPreDataLengthExceededError", elements={"MaxPostPreDataLengthBytes": str(MAX_FIELDS)})


def _file_count() -> S3Error:
    elements = {"ArgumentName": "file", "ArgumentValue": "0"}
    return S3Error("InvalidArgument", "POST requires exactly one file upload per request.", elements=elements)


_HEADER_FIELDS = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-type",
        "expires",
        "x-amz-request-payer",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
    }
)
_HEADER_PREFIXES = ("x-amz-checksum-", "x-amz-meta-", "x-amz-object-lock-", "x-amz-server-side-encryption")
_ASCII = "".join(map(chr, range(0x20, 0x7F)))
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def to_put_request(bucket: str, fields: Mapping[str, str]) -> S3Request:
    """The PutObject that a form means, without its body. Fields that name no property of the object are left out: those
    of the policy and its signature, ``x-ignore-*``, and what S3 does not know (a form must not be able to say
    ``x-amz-copy-source``).

    Raises InvalidArgument (no key, a value that no header can hold), MalformedXML (``tagging``).
    """
    if "key" not in fields:
        message = (
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."
        )
        raise S3Error("InvalidArgument", message, elements={"ArgumentName": "key", "ArgumentValue": ""})
    if not fields["key"]:
        elements = {"ArgumentName": "key", "ArgumentValue": ""}
        raise S3Error("InvalidArgument", "User key must have a length greater than 0.", elements=elements)
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in fields.items():
        if name in _HEADER_FIELDS or name.startswith(_HEADER_PREFIXES):
            headers[name] = _header_value(name, value)
    headers.setdefault("Content-Type", "binary/octet-stream")  # S3's own default; other remotes guess from the bytes
    if "acl" in fields:
        headers["x-amz-acl"] = _header_value("acl", fields["acl"])
    if tagging := _tagging(fields.get("tagging", "")):
        headers["x-amz-tagging"] = tagging
    return S3Request("PUT", "PutObject", bucket, fields["key"], headers=headers)


def _header_value(name: str, value: str) -> str:
    if not _CONTROL.search(value):
        return value
    if name.startswith("x-amz-meta-"):  # stored by S3 in the form of RFC 2047
        return f"=?UTF-8?B?{base64.b64encode(value.encode('utf-8', 'surrogateescape')).decode()}?="
    elements = {"ArgumentName": name, "ArgumentValue": value}
    raise S3Error("InvalidArgument", "The value of this field has characters that are not allowed.", elements=elements)


def _tagging(document: str) -> str:
    """A Tagging document in the form of the header ``x-amz-tagging``. One without tags is an empty set, as in S3."""
    if not document:
        return ""
    try:
        if "<!" in document:
            raise S3Error("MalformedXML")  # a DTD could define entities
        root = ET.fromstring(document)  # noqa: S314  no DTD, hence no entities, and at most 20 KiB
    except (ET.ParseError, ValueError):
        raise S3Error("MalformedXML") from None
    tags = root.findall("{*}TagSet/{*}Tag")
    return format_query([(tag.findtext("{*}Key", ""), tag.findtext("{*}Value", "")) for tag in tags])


def success(put: S3Response, fields: Mapping[str, str], *, bucket: str, key: str, bucket_url: str) -> S3Response:
    """The answer to a form whose PutObject was answered with ``put``. ``bucket_url`` is the URL of the bucket as the
    browser knows it, without a slash at the end."""
    headers = put.headers.copy()
    for name in ("Content-Length", "Content-Type", "Transfer-Encoding"):
        headers.popall(name, None)
    etag = headers.get("ETag", "")
    redirect = fields.get("success_action_redirect", fields.get("redirect", ""))
    if re.match(r"https?://", redirect, re.I) and not _CONTROL.search(redirect):  # S3 takes no relative ones
        headers["Location"] = _redirect(redirect, bucket, key, etag)
        headers["Content-Length"] = "0"
        return S3Response(303, headers)
    headers["Location"] = location = f"{bucket_url}/{quote(key)}"
    match fields.get("success_action_status"):
        case "200":
            headers["Content-Length"] = "0"
            return S3Response(200, headers)
        case "201":
            elements = {"Location": location, "Bucket": bucket, "Key": key, "ETag": etag}
            body = _post_response(elements)
            headers["Content-Type"] = "application/xml"
            headers["Content-Length"] = str(len(body))
            return S3Response(201, headers, body)
        case _:
            return S3Response(204, headers)


def _redirect(url: str, bucket: str, key: str, etag: str) -> str:
    """The URL with the three parameters behind those that it has, encoded as S3 does it (``/`` too, ``+`` for a space)."""
    page, hash_sign, fragment = url.partition("#")
    pairs = (("bucket", bucket), ("key", key), ("etag", etag))
    query = "&".join(f"{name}={quote_plus(value.encode('utf-8', 'surrogateescape'), safe='')}" for name, value in pairs)
    location = f"{page}{'&' if '?' in page else '?'}{query}{hash_sign}{fragment}"
    return quote_from_bytes(location.encode("utf-8", "surrogateescape"), safe=_ASCII)


def _post_response(elements: Mapping[str, str]) -> bytes:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inner}</PostResponse>'
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()
