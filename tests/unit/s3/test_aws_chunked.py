import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3d.s3.aws_chunked import (
    MAX_SIZE_LINE,
    MAX_TRAILERS,
    ContentSha256,
    Decoder,
    announced_trailers,
    content_sha256_kind,
    without_aws_chunked,
)
from s3d.s3.errors import S3Error

SIG = b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
ECDSA = b"3045022100" + b"ab" * 60 + b"**"
CRC = "x-amz-checksum-crc32"
TRAILERS = frozenset({CRC})

# name: (stream, decoded_length, signed, trailers, payload, trailers that come out)
GOLDEN = {
    "signed": (
        b"5;chunk-signature=%b\r\nhello\r\n6;chunk-signature=%b\r\n world\r\n0;chunk-signature=%b\r\n\r\n"
        % (SIG, SIG, SIG),
        11,
        True,
        frozenset(),
        b"hello world",
        {},
    ),
    "signed, ECDSA": (
        b"A;chunk-signature=%b\r\n0123456789\r\n0;chunk-signature=%b\r\n\r\n" % (ECDSA, ECDSA),
        10,
        True,
        frozenset(),
        b"0123456789",
        {},
    ),
    "signed with trailer": (
        b"3;chunk-signature=%b\r\na\r\n\r\n0;chunk-signature=%b\r\n" % (SIG, SIG)
        + b"x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:%b\r\n\r\n" % SIG,
        3,
        True,
        TRAILERS,
        b"a\r\n",
        {CRC: "AAAAAA=="},
    ),
    "signed with trailer, minio-go": (
        b"1;chunk-signature=%b\r\na\r\n0;chunk-signature=%b\r\n" % (SIG, SIG)
        + b"x-amz-checksum-crc32:AAAAAA==\n\r\nx-amz-trailer-signature:%b\r\n\r\n" % SIG,
        1,
        True,
        TRAILERS,
        b"a",
        {CRC: "AAAAAA=="},
    ),
    "unsigned with trailer, botocore": (
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
        5,
        False,
        TRAILERS,
        b"hello",
        {CRC: "NhCmhg=="},
    ),
    "unsigned with trailer, minio-go": (
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n",
        5,
        False,
        TRAILERS,
        b"hello",
        {CRC: "NhCmhg=="},
    ),
    "unsigned, no trailer": (b"00000005\r\nhello\r\n0\r\n\r\n", 5, False, frozenset(), b"hello", {}),
    "unsigned, extension": (b"5;a=b\r\nhello\r\n0;c\r\n\r\n", 5, False, frozenset(), b"hello", {}),
    "unsigned, spaces and case in the trailer": (
        b"0\r\nX-Amz-Checksum-CRC32 :\t AAAAAA== \r\n\r\n",
        0,
        False,
        TRAILERS,
        b"",
        {CRC: "AAAAAA=="},
    ),
    "empty, signed": (b"0;chunk-signature=%b\r\n\r\n" % SIG, 0, True, frozenset(), b"", {}),
    "empty, unsigned": (b"0\r\n\r\n", 0, False, frozenset(), b"", {}),
}


def decode(pieces, decoded_length, signed=False, trailers=frozenset()):
    decoder = Decoder(decoded_length, signed, trailers)
    payload = b"".join(bytes(piece) for data in pieces for piece in decoder.feed(data))
    decoder.finish()
    assert decoder.complete
    return payload, decoder.trailers


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_streams_whole_and_byte_by_byte(name):
    stream, length, signed, trailers, payload, found = GOLDEN[name]
    assert decode([stream], length, signed, trailers) == (payload, found)
    assert decode([stream[i : i + 1] for i in range(len(stream))], length, signed, trailers) == (payload, found)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_streams_cut_in_two_at_every_byte(name):
    stream, length, signed, trailers, payload, found = GOLDEN[name]
    for cut in range(len(stream) + 1):
        assert decode([stream[:cut], stream[cut:]], length, signed, trailers) == (payload, found), cut


@pytest.mark.parametrize("name", GOLDEN)
def test_streams_that_end_early_are_never_complete(name):
    """The empty line at the end is the one thing that may be missing."""
    stream, length, signed, trailers, _payload, _found = GOLDEN[name]
    needed = len(stream.rstrip(b"\r\n")) + len(b"\n")
    for cut in range(needed):
        decoder = Decoder(length, signed, trailers)
        decoder.feed(stream[:cut])
        assert not decoder.complete
        with pytest.raises(S3Error) as caught:
            decoder.finish()
        assert caught.value.code in {"IncompleteBody", "MalformedTrailerError"}


@pytest.mark.parametrize("tail", [b"", b"\r"])
def test_missing_empty_line_at_the_end(tail):
    assert decode([b"5\r\nhello\r\n0\r\n" + tail], 5) == (b"hello", {})


def framed(chunks, signed, trailer):
    suffix = b";chunk-signature=" + SIG if signed else b""
    stream = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), suffix, chunk) for chunk in chunks) + b"0" + suffix + b"\r\n"
    if trailer:
        stream += f"{CRC}:{trailer}\r\n".encode()
        if signed:
            stream += b"x-amz-trailer-signature:" + SIG + b"\r\n"
    return stream + b"\r\n"


@given(st.lists(st.binary(min_size=1, max_size=200)), st.booleans(), st.booleans(), st.data())
def test_any_payload_in_any_chunks_arrives_however_it_is_cut(chunks, signed, with_trailer, data):
    payload = b"".join(chunks)
    trailer = base64.b64encode(zlib.crc32(payload).to_bytes(4, "big")).decode() if with_trailer else None
    stream = framed(chunks, signed, trailer)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    trailers = TRAILERS if with_trailer else frozenset()
    found = {CRC: trailer} if with_trailer else {}
    assert decode(pieces, len(payload), signed, trailers) == (payload, found)


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_garbage_raises_nothing_but_s3_errors(garbage, signed, with_trailer):
    with pytest.raises(S3Error):
        decode([garbage], 7, signed, TRAILERS if with_trailer else frozenset())


def test_data_is_not_copied():
    stream = b"5\r\nhello\r\n"
    decoder = Decoder(100, signed=False)
    (piece,) = decoder.feed(stream)
    assert isinstance(piece, memoryview)
    assert piece.obj is stream
    assert decoder.feed(b"5f\r\n") == []
    middle = b"x" * 50
    (piece,) = decoder.feed(middle)
    assert piece is middle


MALFORMED = {
    # framing
    "not hex": (b"xyz\r\n", "IncompleteBody"),
    "empty size": (b"\r\n", "IncompleteBody"),
    "negative size": (b"-5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
    "0x prefix": (b"0x5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
    "space before the size": (b" 5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
    "17 digits": (b"00000000000000005\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
    "bare LF behind the size": (b"5\nhello\r\n0\r\n\r\n", "IncompleteBody"),
    "CR inside the size line": (b"5;a\rb\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
    "NUL in the size line": (b"5;\0\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
    "size line without end": (b"5;" + b"a" * MAX_SIZE_LINE, "IncompleteBody"),
    "long size line": (b"5;" + b"a" * MAX_SIZE_LINE + b"\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
    "no CRLF behind the data": (b"5\r\nhello0\r\n\r\n", "IncompleteBody"),
    "bare LF behind the data": (b"5\r\nhello\n0\r\n\r\n", "IncompleteBody"),
    "data longer than its size": (b"5\r\nhello!\r\n0\r\n\r\n", "IncompleteBody"),
    "data shorter than its size": (b"5\r\nhell\r\n0\r\n\r\n", "IncompleteBody"),
    # length
    "too much": (b"6\r\nhello!\r\n0\r\n\r\n", "IncompleteBody"),
    "too much, later": (b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "IncompleteBody"),
    "far too much": (b"ffffffffffffffff\r\n", "IncompleteBody"),
    "too little": (b"4\r\nhell\r\n0\r\n\r\n", "IncompleteBody"),
    "nothing": (b"0\r\n\r\n", "IncompleteBody"),
    "not even the last chunk": (b"", "IncompleteBody"),
    # behind the last chunk
    "a trailer that was not announced": (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\n", "MalformedTrailerError"),
    "data behind the last chunk": (b"5\r\nhello\r\n0\r\nhello\r\n\r\n", "MalformedTrailerError"),
    "trailer without a name": (b"5\r\nhello\r\n0\r\n:a\r\n\r\n", "MalformedTrailerError"),
    "signature where none belongs": (
        b"5\r\nhello\r\n0\r\nx-amz-trailer-signature:%b\r\n\r\n" % SIG,
        "MalformedTrailerError",
    ),
    "line in the trailer without end": (b"5\r\nhello\r\n0\r\n" + b"a" * MAX_TRAILERS, "MalformedTrailerError"),
    "data behind the end": (b"5\r\nhello\r\n0\r\n\r\n5\r\n", "MalformedTrailerError"),
    "two empty lines behind the end": (b"5\r\nhello\r\n0\r\n\r\n\r\n\r\n", "MalformedTrailerError"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name):
    stream, code = MALFORMED[name]
    for pieces in ([stream], [stream[i : i + 1] for i in range(len(stream))]):
        with pytest.raises(S3Error) as caught:
            decode(pieces, 5)
        assert caught.value.code == code


LAST = b"0;chunk-signature=" + SIG + b"\r\n"
MALFORMED_SIGNED = {
    "no signature": b"5\r\nhello\r\n",
    "other extension": b"5;a=b\r\nhello\r\n",
    "empty signature": b"5;chunk-signature=\r\nhello\r\n",
    "short signature": b"5;chunk-signature=" + SIG[1:] + b"\r\nhello\r\n",
    "signature not in hex": b"5;chunk-signature=" + SIG[1:] + b"g\r\nhello\r\n",
    "something behind the signature": b"5;chunk-signature=" + SIG + b";a=b\r\nhello\r\n",
    "no signature on the last chunk": b"5;chunk-signature=" + SIG + b"\r\nhello\r\n0\r\n\r\n",
    "malformed signature of the trailer": (
        b"5;chunk-signature="
        + SIG
        + b"\r\nhello\r\n"
        + LAST
        + b"x-amz-checksum-crc32:a\r\nx-amz-trailer-signature:b\r\n"
    ),
}


@pytest.mark.parametrize("name", MALFORMED_SIGNED)
def test_malformed_signatures(name):
    with pytest.raises(S3Error) as caught:
        decode([MALFORMED_SIGNED[name]], 5, True, TRAILERS)
    assert caught.value.code == "SignatureDoesNotMatch"


GOOD = b"x-amz-checksum-crc32:a\r\n"
SIGNED = b"x-amz-trailer-signature:" + SIG + b"\r\n"
MALFORMED_TRAILERS = {
    "missing": (b"\r\n", False),
    "missing, no empty line": (b"", False),
    "another one": (GOOD + b"x-amz-checksum-sha1:a\r\n\r\n", False),
    "twice": (GOOD + GOOD + b"\r\n", False),
    "no colon": (b"x-amz-checksum-crc32\r\n\r\n", False),
    "space in the name": (b"x-amz checksum:a\r\n\r\n", False),
    "folded line": (GOOD + b" b\r\n\r\n", False),
    "control character": (b"x-amz-checksum-crc32:\x01\r\n\r\n", False),
    "too long": (b"x-amz-checksum-crc32:" + b"a" * MAX_TRAILERS + b"\r\n\r\n", False),
    "too many empty lines": (GOOD + b"\r\n" * MAX_TRAILERS + SIGNED + b"\r\n", True),
    "no signature": (GOOD + b"\r\n", True),
    "signature only": (SIGNED + b"\r\n", True),
    "signature twice": (GOOD + SIGNED + SIGNED + b"\r\n", True),
    "signature in front": (SIGNED + GOOD + b"\r\n", True),
}


@pytest.mark.parametrize("name", MALFORMED_TRAILERS)
def test_malformed_trailers(name):
    tail, signed = MALFORMED_TRAILERS[name]
    stream = b"1" + LAST[1:] + b"h\r\n" + LAST if signed else b"1\r\nh\r\n0\r\n"
    with pytest.raises(S3Error) as caught:
        decode([stream + tail], 1, signed, TRAILERS)
    assert caught.value.code == "MalformedTrailerError"


def test_length_error_says_the_lengths():
    with pytest.raises(S3Error) as caught:
        decode([b"5\r\nhello\r\n2\r\n"], 6)
    assert caught.value.elements == {"NumberBytesExpected": "6", "NumberBytesProvided": "7"}


def test_wrong_length_is_refused_before_the_data():
    decoder = Decoder(5, signed=False)
    with pytest.raises(S3Error):
        decoder.feed(b"6\r\n")


def test_an_error_is_final():
    decoder = Decoder(5, signed=False)
    with pytest.raises(S3Error):
        decoder.feed(b"zz\r\n")
    with pytest.raises(S3Error):
        decoder.feed(b"5\r\nhello\r\n0\r\n\r\n")
    with pytest.raises(S3Error):
        decoder.finish()
    assert not decoder.complete


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("UNSIGNED-PAYLOAD", ContentSha256()),
        ("AB" * 32, ContentSha256("ab" * 32)),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", ContentSha256(None, streaming=True, signed=False, trailer=True)),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ContentSha256(None, streaming=True, signed=True)),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", ContentSha256(None, streaming=True, signed=True, trailer=True)),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", ContentSha256(None, streaming=True, signed=True)),
        (
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
            ContentSha256(None, streaming=True, signed=True, trailer=True),
        ),
    ],
)
def test_content_sha256(value, kind):
    assert content_sha256_kind(value) == kind


@pytest.mark.parametrize(
    "value", ["", "unsigned-payload", "a" * 63, "a" * 65, "g" * 64, "STREAMING-PAYLOAD", "a" * 64 + "\n"]
)
def test_invalid_content_sha256(value):
    with pytest.raises(S3Error) as caught:
        content_sha256_kind(value)
    assert caught.value.code == "InvalidArgument"
    assert caught.value.message == (
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER "
        "or a valid sha256 value."
    )
    assert caught.value.elements == {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value}


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ("aws-chunked", None),
        ("AWS-Chunked", None),
        ("aws-chunked,", None),
        ("aws-chunked,gzip", "gzip"),
        ("gzip, aws-chunked", "gzip"),
        ("aws-chunked, gzip, br", "gzip, br"),
        ("gzip", "gzip"),
        ("gzip , br", "gzip , br"),
        ("", ""),
        ("x-aws-chunked", "x-aws-chunked"),
    ],
)
def test_without_aws_chunked(value, rest):
    assert without_aws_chunked(value) == rest


@pytest.mark.parametrize(
    ("value", "names"),
    [("X-Amz-Checksum-CRC32", {CRC}), (" a , B ", {"a", "b"}), ("", set()), (",", set())],
)
def test_announced_trailers(value, names):
    assert announced_trailers(value) == names
