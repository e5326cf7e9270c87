import base64
import hashlib

import pytest
from multidict import CIMultiDict

from s3d.s3.checksums import BY_HEADER, Expectation, declared
from s3d.s3.errors import S3Error

BODY = b"123456789"

# Digests of BODY: those of the CRCs are the "check" values of the CRC catalogue.
DIGESTS = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": hashlib.sha1(BODY).hexdigest(),
    "SHA256": hashlib.sha256(BODY).hexdigest(),
    "SHA512": hashlib.sha512(BODY).hexdigest(),
    "MD5": hashlib.md5(BODY).hexdigest(),
    "XXHASH64": "8cb841db40e6ae83",
    "XXHASH3": "72dcb18b67a17dff",
    "XXHASH128": "33119477ede5dcd5e9716427681d5860",
}
VALUES = {name: base64.b64encode(bytes.fromhex(digest)).decode() for name, digest in DIGESTS.items()}


def feed(expectation: Expectation, *pieces: bytes | memoryview) -> Expectation:
    for piece in pieces:
        expectation.hasher.update(piece)
    return expectation


def error_of(headers: dict[str, str] | CIMultiDict[str], **options: object) -> S3Error:
    with pytest.raises(S3Error) as caught:
        declared(CIMultiDict(headers), **options)  # type: ignore[arg-type]  # options of the case at hand
    return caught.value


def test_every_algorithm_of_s3_is_known():
    assert {algorithm.name for algorithm in BY_HEADER.values()} == set(DIGESTS)
    assert {name: algorithm.header for name, algorithm in BY_HEADER.items()} == {name: name for name in BY_HEADER}


@pytest.mark.parametrize("name", DIGESTS)
def test_each_algorithm_verifies_a_body_in_pieces(name):
    headers = CIMultiDict({f"X-Amz-Checksum-{name}": VALUES[name]})
    (expectation,) = declared(headers)
    assert expectation.name == name
    assert len(expectation.expected) == BY_HEADER[f"x-amz-checksum-{name.lower()}"].size
    feed(expectation, BODY[:4], memoryview(BODY)[4:7], b"", BODY[7:]).verify()


@pytest.mark.parametrize("name", DIGESTS)
def test_each_algorithm_refuses_another_body(name):
    (expectation,) = declared(CIMultiDict({f"x-amz-checksum-{name.lower()}": VALUES[name]}))
    with pytest.raises(S3Error) as caught:
        feed(expectation, BODY, b"x").verify()
    assert caught.value.code == "BadDigest"
    assert caught.value.message == f"The {name} you specified did not match the calculated checksum."


@pytest.mark.parametrize("algorithm", BY_HEADER.values(), ids=lambda algorithm: algorithm.name)
def test_digest_of_nothing_has_the_declared_size(algorithm):
    assert len(algorithm.new().digest()) == algorithm.size


def test_only_cryptographic_digests_are_cpu_bound():
    assert {a.name for a in BY_HEADER.values() if a.cpu_bound} == {"MD5", "SHA1", "SHA256", "SHA512"}


def test_nothing_declared():
    headers = {
        "x-amz-checksum-algorithm": "CRC32",
        "x-amz-checksum-type": "FULL_OBJECT",
        "x-amz-checksum-mode": "ENABLED",
        "x-amz-checksum-from-the-future": "?",
    }
    assert declared(CIMultiDict(headers)) == []


def test_content_md5():
    (expectation,) = declared(CIMultiDict({"content-md5": VALUES["MD5"]}))
    feed(expectation, BODY).verify()
    with pytest.raises(S3Error) as caught:
        feed(expectation, b"x").verify()
    assert caught.value.code == "BadDigest"
    assert caught.value.message == "The Content-MD5 you specified did not match what we received."
    assert caught.value.elements["ExpectedDigest"] == VALUES["MD5"]


@pytest.mark.parametrize("value", ["", "abc", "%%%%", "YWJj", VALUES["MD5"] + "AAAA", VALUES["MD5"][:-1], "é"])
def test_malformed_content_md5(value):
    error = error_of({"Content-MD5": value})
    assert (error.code, error.message) == ("InvalidDigest", "The Content-MD5 you specified was invalid.")
    assert error.elements == {"Content-MD5": value}


def test_repeated_content_md5():
    twice = CIMultiDict([("Content-MD5", VALUES["MD5"]), ("Content-MD5", VALUES["MD5"])])
    assert error_of(twice).code == "InvalidDigest"


def test_payload_sha256():
    (expectation,) = declared(CIMultiDict(), payload_sha256=DIGESTS["SHA256"])
    feed(expectation, BODY).verify()
    with pytest.raises(S3Error) as caught:
        feed(expectation, b"x").verify()
    assert caught.value.code == "XAmzContentSHA256Mismatch"
    assert caught.value.elements == {
        "ClientComputedContentSHA256": DIGESTS["SHA256"],
        "S3ComputedContentSHA256": hashlib.sha256(BODY + b"x").hexdigest(),
    }


@pytest.mark.parametrize("value", ["", "y/Q5", "y/Q5Jg", "y/Q5Jg==AAAA", "y/Q5Jg==-2", "y_Q5Jg==", VALUES["MD5"]])
def test_malformed_checksum(value):
    error = error_of({"x-amz-checksum-crc32": value})
    assert (error.code, error.message) == ("InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid.")


@pytest.mark.parametrize(
    "headers",
    [
        CIMultiDict({"x-amz-checksum-crc32": VALUES["CRC32"], "x-amz-checksum-sha1": VALUES["SHA1"]}),
        CIMultiDict({"x-amz-checksum-crc32": "", "x-amz-checksum-sha1": ""}),
        CIMultiDict([("x-amz-checksum-crc32", VALUES["CRC32"]), ("x-amz-checksum-crc32", VALUES["CRC32"])]),
    ],
)
def test_more_than_one_checksum(headers):
    error = error_of(headers)
    assert error.code == "InvalidRequest"
    assert error.message == "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."


def test_everything_declared_at_once_comes_in_order():
    headers = CIMultiDict({"x-amz-checksum-crc32c": VALUES["CRC32C"], "Content-MD5": VALUES["MD5"]})
    found = declared(headers, payload_sha256=DIGESTS["SHA256"])
    assert [e.name for e in found] == ["x-amz-content-sha256", "Content-MD5", "CRC32C"]
    assert [e.cpu_bound for e in found] == [True, True, False]


def test_checksums_of_the_object_are_not_those_of_the_body():
    headers = CIMultiDict({"x-amz-checksum-crc32": "y/Q5Jg==-2", "Content-MD5": VALUES["MD5"]})
    assert [e.name for e in declared(headers, body_checksums=False)] == ["Content-MD5"]


def test_checksum_in_the_trailer():
    (expectation,) = declared(CIMultiDict(), trailers=frozenset({"x-amz-checksum-crc32"}))
    assert expectation.expected is None
    feed(expectation, BODY)
    expectation.declare(VALUES["CRC32"])
    expectation.verify()
    expectation.declare("AAAAAA==")
    with pytest.raises(S3Error, match="BadDigest: The CRC32 you specified"):
        expectation.verify()


def test_malformed_checksum_in_the_trailer():
    (expectation,) = declared(CIMultiDict(), trailers=["x-amz-checksum-crc32"])
    with pytest.raises(S3Error) as caught:
        expectation.declare("AAAA")
    assert caught.value.message == "Value for x-amz-checksum-crc32 trailing header is invalid."


def test_trailer_that_did_not_come():
    (expectation,) = declared(CIMultiDict(), trailers=["x-amz-checksum-crc32"])
    with pytest.raises(S3Error, match="MalformedTrailerError"):
        expectation.verify()


@pytest.mark.parametrize("name", ["x-amz-checksum-sha3", "x-amz-meta-a", "x-amz-checksum-type"])
def test_unsupported_trailer(name):
    error = error_of({}, trailers=[name])
    assert error.code == "InvalidRequest"
    assert error.message == "The value specified in the x-amz-trailer header is not supported"


def test_checksum_as_header_and_in_the_trailer():
    error = error_of({"x-amz-checksum-crc32": VALUES["CRC32"]}, trailers=["x-amz-checksum-sha1"])
    assert (error.code, error.message) == ("InvalidRequest", "Expecting a single x-amz-checksum- header")
    assert error_of({}, trailers=["x-amz-checksum-sha1", "x-amz-checksum-crc32"]).code == "InvalidRequest"
