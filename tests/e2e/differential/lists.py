"""Lists: buckets, objects (both versions of the operation), versions, uploads."""

from __future__ import annotations

from e2e.differential.scenario import Scenario, Step, arrange, change, read

COMMON = {
    "all": "",
    "prefix": "prefix=dir%2F",
    "prefix-partial": "prefix=dir",
    "prefix-none": "prefix=nothing",
    "prefix-odd": "prefix=odd%2F",
    "prefix-empty": "prefix=",
    "delimiter": "delimiter=%2F",
    "delimiter-prefix": "prefix=dir%2F&delimiter=%2F",
    "delimiter-other": "delimiter=i",
    "delimiter-long": "delimiter=ir%2F",
    "delimiter-empty": "delimiter=",
    "max-keys": "max-keys=3",
    "max-keys-delimiter": "max-keys=2&delimiter=%2F",
    "max-keys-0": "max-keys=0",
    "max-keys-2000": "max-keys=2000",
    "max-keys-negative": "max-keys=-1",
    "max-keys-text": "max-keys=abc",
    "max-keys-huge": "max-keys=99999999999999999999",
    "encoding": "encoding-type=url&prefix=odd%2F",
    "encoding-delimiter": "encoding-type=url&delimiter=%20",
    "encoding-bad": "encoding-type=base64",
}

V1 = {"marker": "marker=dir%2Fb", "marker-prefix": "marker=dir%2Fb&prefix=dir%2F", "marker-past": "marker=zzzz"}
V2 = {
    "start-after": "start-after=dir%2Fb",
    "start-after-delimiter": "start-after=dir%2Fb&delimiter=%2F",
    "fetch-owner": "fetch-owner=true&prefix=plain",
    "token-bad": "continuation-token=nonsense",
    "token-empty": "continuation-token=",
}
VERSIONS = {
    "all": "",
    "prefix": "&prefix=do",
    "max-keys": "&max-keys=1",
    "key-marker": "&key-marker=doc",
    "version-marker": "&key-marker=doc&version-id-marker={v2}",
    "version-marker-alone": "&version-id-marker={v2}",
    "delimiter": "&delimiter=o",
    "encoding": "&encoding-type=url",
}


def scenarios() -> list[Scenario]:
    found = [read("list-buckets", "/"), read("list-buckets-page", "/?max-buckets=1&prefix=s3d-")]
    found += [read(f"list-v1-{name}", f"/{{library}}?{query}") for name, query in {**COMMON, **V1}.items()]
    found += [
        read(f"list-v2-{name}", f"/{{library}}?list-type=2{query and '&'}{query}")
        for name, query in {**COMMON, **V2}.items()
    ]
    found += [read(f"list-versions-{name}", f"/{{versions}}?versions{query}") for name, query in VERSIONS.items()]
    found += [
        read("list-v1-trailing-slash", "/{library}/?prefix=plain"),
        read("list-v1-no-bucket", "/s3d-no-such-bucket"),
        read("list-v2-no-bucket", "/s3d-no-such-bucket?list-type=2"),
        read("list-type-3", "/{library}?list-type=3"),
        read("list-versions-unversioned", "/{library}?versions&prefix=plain"),
        read(
            "list-optional-attributes",
            "/{library}?list-type=2&prefix=p",
            {"x-amz-optional-object-attributes": "RestoreStatus"},
        ),
        read("head-bucket", "/{library}", method="HEAD"),
        read("head-bucket-missing", "/s3d-no-such-bucket", method="HEAD"),
        read("head-root", "/", method="HEAD"),
        change(
            "list-v2-pages",
            Step("GET", "/{library}?list-type=2&max-keys=4", save={"token": "<NextContinuationToken>([^<]+)<"}),
            Step("GET", "/{library}?list-type=2&max-keys=4&continuation-token={token}"),
            Step(
                "GET",
                "/{library}?list-type=2&delimiter=%2F&max-keys=2",
                save={"token": "<NextContinuationToken>([^<]+)<"},
            ),
            Step("GET", "/{library}?list-type=2&delimiter=%2F&max-keys=2&continuation-token={token}"),
        ),
        change(
            "list-v1-pages",
            Step("GET", "/{library}?delimiter=%2F&max-keys=2", save={"token": "<NextMarker>([^<]+)<"}),
            Step("GET", "/{library}?delimiter=%2F&max-keys=2&marker={token}"),
        ),
        change(
            "list-uploads",
            arrange("POST", "/{bucket}/lu/a?uploads", u1="<UploadId>([^<]+)<"),
            arrange("POST", "/{bucket}/lu/b?uploads", u2="<UploadId>([^<]+)<"),
            arrange("POST", "/{bucket}/lu/s/c?uploads", u3="<UploadId>([^<]+)<"),
            Step("GET", "/{bucket}?uploads&prefix=lu%2F"),
            Step("GET", "/{bucket}?uploads&prefix=lu%2F&delimiter=%2F"),
            Step("GET", "/{bucket}?uploads&prefix=lu%2F&max-uploads=1"),
            Step("GET", "/{bucket}?uploads&prefix=lu%2F&key-marker=lu%2Fa"),
            Step("GET", "/{bucket}?uploads&prefix=lu%2F&key-marker=lu%2Fa&upload-id-marker={u1}"),
            Step("GET", "/{bucket}?uploads&prefix=lu%2F&encoding-type=url"),
            Step("GET", "/{bucket}?uploads&prefix=lu%2F&max-uploads=x"),
            arrange("DELETE", "/{bucket}/lu/a?uploadId={u1}"),
            arrange("DELETE", "/{bucket}/lu/b?uploadId={u2}"),
            arrange("DELETE", "/{bucket}/lu/s/c?uploadId={u3}"),
        ),
    ]
    return found
