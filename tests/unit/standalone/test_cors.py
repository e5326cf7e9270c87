from __future__ import annotations

from typing import Any

import pytest
from conformance.calling import body_of, call, refused, respond
from multidict import CIMultiDict

from s3d.s3 import codec
from s3d.s3.message import S3Request, S3Response
from s3d.s3.routing import route
from s3d.standalone.backend import Standalone

VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
RULE = {"AllowedOrigins": ["https://app.example"], "AllowedMethods": ["GET", "PUT"]}


async def put(backend: Standalone, bucket: str, *rules: dict[str, Any]) -> None:
    await call(backend, "PutBucketCors", {"Bucket": bucket, "CORSConfiguration": {"CORSRules": list(rules)}})


def request(method: str, bucket: str, key: str | None = None, **headers: str) -> S3Request:
    """Names of headers with _ for -."""
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return S3Request(method, route(method, bucket, key, [], named), bucket, key, headers=named)


async def preflight(backend: Standalone, bucket: str, key: str | None = None, **headers: str) -> S3Response:
    return await respond(backend, request("OPTIONS", bucket, key, **headers))


def access_control(response: S3Response) -> dict[str, str]:
    wanted = ("access-control-", "vary")
    return {name: value for name, value in response.headers.items() if name.lower().startswith(wanted)}


async def test_the_rules_come_back(backend: Standalone, bucket: str) -> None:
    with refused(404, "NoSuchCORSConfiguration", elements={"BucketName": bucket}):
        await call(backend, "GetBucketCors", {"Bucket": bucket})
    full = {
        "ID": "one",
        "AllowedHeaders": ["x-amz-*", "X-Mixed-Case"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 5,
        **RULE,
    }
    await put(backend, bucket, full, RULE)
    assert await call(backend, "GetBucketCors", {"Bucket": bucket}) == {"CORSRules": [full, RULE]}
    for _ in range(2):
        await call(backend, "DeleteBucketCors", {"Bucket": bucket})
    with refused(404, "NoSuchCORSConfiguration"):
        await call(backend, "GetBucketCors", {"Bucket": bucket})


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"AllowedMethods": ["GET", "PATCH"]}, "InvalidRequest", "Unsupported method is PATCH"),
        ({"AllowedMethods": ["get"]}, "InvalidRequest", "Unsupported method is get"),
        ({"AllowedOrigins": ["*.a.*"]}, "InvalidRequest", 'AllowedOrigin "*.a.*" can not have more than one wildcard.'),
        ({"AllowedHeaders": ["**"]}, "InvalidRequest", 'AllowedHeader "**" can not have more than one wildcard.'),
        ({"ExposeHeaders": ["x-*"]}, "InvalidRequest", 'ExposeHeader "x-*" contains wildcard.'),
        ({"ExposeHeaders": ["a\nb"]}, "MalformedXML", ""),
        ({"ID": "x" * 256}, "InvalidRequest", "255"),
        ({"AllowedMethods": []}, "MalformedXML", ""),
        ({"AllowedOrigins": []}, "MalformedXML", ""),
    ],
)
async def test_rules_that_are_refused(
    backend: Standalone, bucket: str, changes: dict[str, Any], code: str, message: str
) -> None:
    with refused(400, code) as refusal:
        await put(backend, bucket, RULE | changes)
    assert message in str(refusal.value)


async def test_the_number_of_rules(backend: Standalone, bucket: str) -> None:
    await put(backend, bucket, *[RULE] * 100)
    for rules in ([RULE] * 101, []):
        with refused(400, "MalformedXML"):
            await put(backend, bucket, *rules)


async def test_a_preflight(backend: Standalone, bucket: str) -> None:
    await put(
        backend, bucket, {**RULE, "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag", "x-a"], "MaxAgeSeconds": 3000}
    )
    for key in (None, "no such key"):
        response = await preflight(
            backend,
            bucket,
            key,
            Origin="https://app.example",
            Access_Control_Request_Method="PUT",
            Access_Control_Request_Headers="content-type,X-Amz-Date , ",
        )
        assert (response.status, await body_of(response)) == (200, b"")
        assert response.headers["Content-Length"] == "0"
        assert access_control(response) == {
            "Access-Control-Allow-Origin": "https://app.example",
            "Access-Control-Allow-Headers": "content-type, x-amz-date",
            "Access-Control-Allow-Methods": "GET, PUT",
            "Access-Control-Expose-Headers": "ETag, x-a",
            "Access-Control-Max-Age": "3000",
            "Access-Control-Allow-Credentials": "true",
            "Vary": VARY,
        }


async def test_a_preflight_for_any_origin(backend: Standalone, bucket: str) -> None:
    await put(backend, bucket, RULE | {"AllowedOrigins": ["*"]})
    response = await preflight(backend, bucket, "k", Origin="null", Access_Control_Request_Method="GET")
    assert access_control(response) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, PUT",
        "Vary": VARY,
    }


async def refusal(backend: Standalone, bucket: str, key: str | None, headers: dict[str, str]) -> tuple[Any, ...]:
    response = await preflight(backend, bucket, key, **headers)
    assert access_control(response) == {}
    error = codec.parse_error(response, await body_of(response))
    said = [error.elements.get(name) for name in ("Method", "ResourceType")]
    return (response.status, error.code, error.message, *said)


async def test_preflights_that_are_refused(backend: Standalone, bucket: str) -> None:
    origin, asked = {"Origin": "https://app.example"}, {"Access_Control_Request_Method": "PUT"}
    lacking = (400, "BadRequest", "Insufficient information. Origin request header needed.", None, None)
    off = "CORSResponse: CORS is not enabled for this bucket."
    assert await refusal(backend, bucket, "k", asked) == lacking
    assert await refusal(backend, bucket, "k", origin | asked) == (403, "AccessForbidden", off, "PUT", "BUCKET")
    assert await refusal(backend, bucket, "k", origin) == (403, "AccessForbidden", off, "OPTIONS", "BUCKET")
    for missing in ("other", "a\udcff"):
        found = await refusal(backend, missing, "k", origin)
        assert found == (403, "AccessForbidden", "CORSResponse: Bucket not found", "OPTIONS", "BUCKET")
    await put(backend, bucket, RULE)
    assert await refusal(backend, bucket, "k", asked) == lacking
    assert (await refusal(backend, bucket, "k", origin))[:2] == (400, "BadRequest")
    for changes in (
        {"Origin": "http://app.example"},
        {"Origin": "https://app.example/"},
        {"Origin": "https://xapp.example"},
        {"Access_Control_Request_Method": "DELETE"},
        {"Access_Control_Request_Headers": "x-any"},
    ):
        status, code, message, *said = await refusal(backend, bucket, "k", origin | asked | changes)
        assert (status, code) == (403, "AccessForbidden")
        assert message.startswith("CORSResponse: This CORS request is not allowed.")
        assert said == [changes.get("Access_Control_Request_Method", "PUT"), "OBJECT"]
    assert (await refusal(backend, bucket, None, {"Origin": "x"} | asked))[-1] == "BUCKET"


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*suffix", ["suffix", "foo.suffix"], ["foo.suffix.x"]),
        ("start*end", ["startend", "start1end", "start.1/2end"], ["0startend", "startend0", "star"]),
        ("prefix*", ["prefix", "prefix.x"], ["x.prefix"]),
        ("http://*.a.b", ["http://x.a.b", "http://x.y.a.b"], ["http://a.b", "https://x.a.b", "http://x.aab"]),
        ("https://a.b", ["https://a.b"], ["https://A.b", "https://a.b:443", "https://a+b"]),
    ],
)
async def test_patterns_of_origins(
    backend: Standalone, bucket: str, pattern: str, matching: list[str], other: list[str]
) -> None:
    await put(backend, bucket, RULE | {"AllowedOrigins": [pattern]})
    for origin in matching:
        assert backend.allows_origin(bucket, origin, "GET")
    for origin in other:
        assert not backend.allows_origin(bucket, origin, "GET")


async def test_patterns_of_headers(backend: Standalone, bucket: str) -> None:
    await put(backend, bucket, RULE | {"AllowedHeaders": ["x-AMZ-*", "Content-Type"]})
    asked = {"Origin": "https://app.example", "Access_Control_Request_Method": "GET"}
    response = await preflight(backend, bucket, **asked, Access_Control_Request_Headers="X-Amz-Meta-A,content-TYPE")
    assert response.headers["Access-Control-Allow-Headers"] == "x-amz-meta-a, content-type"
    for name in ("x-am", "content-type2", "x-amz-a,other"):
        assert (await preflight(backend, bucket, **asked, Access_Control_Request_Headers=name)).status == 403


async def test_the_first_rule_that_matches_counts(backend: Standalone, bucket: str) -> None:
    rules = [
        {"AllowedOrigins": ["https://app.example"], "AllowedMethods": ["PUT"], "MaxAgeSeconds": 1},
        {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "MaxAgeSeconds": 2},
        {"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "MaxAgeSeconds": 3},
    ]
    await put(backend, bucket, *rules)
    for method, headers, age in (("PUT", "", "1"), ("GET", "", "2"), ("PUT", "x-a", "3"), ("GET", "x-a", "3")):
        asked = {"Access_Control_Request_Method": method, "Access_Control_Request_Headers": headers}
        response = await preflight(backend, bucket, Origin="https://app.example", **asked)
        assert response.headers["Access-Control-Max-Age"] == age
    actual = await respond(backend, request("PUT", bucket, "k", Origin="https://app.example"))
    assert actual.headers["Access-Control-Max-Age"] == "1"


async def test_other_answers_say_who_may_read_them(backend: Standalone, bucket: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, b"x")
    allowed = {
        "Access-Control-Allow-Origin": "https://app.example",
        "Access-Control-Allow-Methods": "GET, PUT",
        "Access-Control-Allow-Credentials": "true",
        "Vary": VARY,
    }
    get = request("GET", bucket, "k", Origin="https://app.example")
    assert access_control(await respond(backend, get)) == {}
    await put(backend, bucket, RULE)
    for method, key, status in (("GET", "k", 200), ("PUT", "new", 200), ("GET", "other", 404), ("GET", None, 200)):
        response = await respond(backend, request(method, bucket, key, Origin="https://app.example"))
        assert (response.status, access_control(response)) == (status, allowed)
    for changes in ({"Origin": "https://other"}, {"Access_Control_Request_Method": "DELETE"}):
        response = await respond(backend, request("GET", bucket, "k", **({"Origin": "https://app.example"} | changes)))
        assert (response.status, access_control(response)) == (200, {})
    for method, key in (("DELETE", "new"), ("HEAD", "k")):
        assert access_control(await respond(backend, request(method, bucket, key, Origin="https://app.example"))) == {}
    assert access_control(await respond(backend, request("GET", bucket, "k"))) == {}


async def test_errors_that_have_headers_keep_them(backend: Standalone, bucket: str) -> None:
    await put(backend, bucket, RULE)
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, b"x")
    get = request("GET", bucket, "k", Origin="https://app.example", If_None_Match="*")
    response = await respond(backend, get)
    assert response.status == 304
    assert response.headers["ETag"]
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"


async def test_what_the_rules_say_to_the_server(backend: Standalone, bucket: str) -> None:
    assert not backend.allows_origin(bucket, "https://app.example", "GET")
    await put(backend, bucket, RULE)
    assert backend.allows_origin(bucket, "https://app.example", "GET")
    assert not backend.allows_origin(bucket, "https://app.example", "DELETE")
    assert not backend.allows_origin(bucket, "https://other.example", "GET")
    assert not backend.allows_origin("other", "https://app.example", "GET")
    assert not backend.allows_origin(None, "https://app.example", "GET")
    await put(backend, bucket, RULE | {"AllowedMethods": ["DELETE"]})
    assert backend.allows_origin(bucket, "https://app.example", "DELETE")
    assert not backend.allows_origin(bucket, "https://app.example", "GET")


async def test_a_page_reads_no_other_bucket_by_copying(backend: Standalone, bucket: str) -> None:
    await call(backend, "CreateBucket", {"Bucket": "private"})
    for name in (bucket, "private"):
        await call(backend, "PutObject", {"Bucket": name, "Key": "k"}, b"x" * (5 << 20))
    await put(backend, bucket, RULE | {"AllowedHeaders": ["*"]})
    upload = (await call(backend, "CreateMultipartUpload", {"Bucket": bucket, "Key": "u"}))["UploadId"]

    def copies(source: str, site: str) -> list[S3Request]:
        at = {"Bucket": bucket, "Key": "u", "CopySource": source}
        made = [
            codec.build_request("CopyObject", at | {"Key": "copy"}),
            codec.build_request("UploadPartCopy", at | {"PartNumber": 1, "UploadId": upload}),
        ]
        for request in made:
            request.headers.extend({"Origin": "https://app.example", "Sec-Fetch-Site": site})
        return made

    async def may(source: str, site: str) -> set[int]:
        return {(await respond(backend, request)).status for request in copies(source, site)}

    assert await may("private/k", "cross-site") == {403}
    assert await may(f"{bucket}/k", "cross-site") == {200}
    assert await may("private/k", "same-site") == {200}
    await put(backend, "private", RULE)
    assert await may("private/k", "cross-site") == {200}


async def test_the_size_of_the_document_is_limited(backend: Standalone, bucket: str) -> None:
    fits = RULE | {"AllowedHeaders": ["y*"] * 1500}
    await put(backend, bucket, fits)
    with refused(400, "MaxMessageLengthExceeded"):
        await put(backend, bucket, RULE | {"AllowedHeaders": ["y*"] * 3000})
    assert await call(backend, "GetBucketCors", {"Bucket": bucket}) == {"CORSRules": [fits]}
