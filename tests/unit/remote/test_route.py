"""Where a request goes at the remote."""

from __future__ import annotations

import pytest

from s3d.remote.credentials import Location
from s3d.remote.route import Route, host_header, in_region, route

AWS = Location("https://s3.eu-west-1.amazonaws.com", "eu-west-1", is_aws=True)
OTHER = Location("http://minio.example:9000", "us-east-1", is_aws=False)


@pytest.mark.parametrize(
    ("location", "addressing", "bucket", "key", "host", "path"),
    [
        (OTHER, "auto", None, None, "minio.example:9000", "/"),
        (OTHER, "auto", "bucket", None, "minio.example:9000", "/bucket"),
        (OTHER, "auto", "bucket", "a//b", "minio.example:9000", "/bucket/a//b"),
        (OTHER, "virtual", "bucket", "key", "bucket.minio.example:9000", "/key"),
        (OTHER, "virtual", "dotted.bucket", "key", "minio.example:9000", "/dotted.bucket/key"),
        (AWS, "auto", None, None, "s3.eu-west-1.amazonaws.com", "/"),
        (AWS, "auto", "bucket", None, "bucket.s3.eu-west-1.amazonaws.com", "/"),
        (AWS, "auto", "bucket", "/", "bucket.s3.eu-west-1.amazonaws.com", "//"),
        (AWS, "auto", "Capital", "key", "s3.eu-west-1.amazonaws.com", "/Capital/key"),
        (AWS, "path", "bucket", "key", "s3.eu-west-1.amazonaws.com", "/bucket/key"),
        (AWS, "path", "bucket", "../a b+\udcff%", "s3.eu-west-1.amazonaws.com", "/bucket/../a%20b%2B%FF%25"),
    ],
)
def test_route(location: Location, addressing: str, bucket: str | None, key: str | None, host: str, path: str) -> None:
    scheme = location.endpoint.partition("://")[0]
    assert route(location, addressing, bucket, key) == Route(f"{scheme}://{host}", host, path)


@pytest.mark.parametrize(
    ("scheme", "host", "header"),
    [
        ("http", "h:80", "h"),
        ("https", "h:443", "h"),
        ("http", "h:443", "h:443"),
        ("https", "h:80", "h:80"),
        ("http", "h", "h"),
    ],
)
def test_host_header(scheme: str, host: str, header: str) -> None:
    assert host_header(scheme, host) == header


def test_in_region() -> None:
    assert in_region(AWS, "us-west-2") == Location("https://s3.us-west-2.amazonaws.com", "us-west-2", is_aws=True)
    assert in_region(OTHER, "us-west-2") == Location(OTHER.endpoint, "us-west-2", is_aws=False)
    assert in_region(AWS, AWS.region) == AWS
