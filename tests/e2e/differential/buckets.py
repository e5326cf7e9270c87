"""Buckets and their configuration: what s3d does not parse but forwards."""

from __future__ import annotations

import json

from e2e.differential.library import md5
from e2e.differential.scenario import Scenario, Step, arrange, change, read

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "R",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::{fresh}/*",
            }
        ],
    }
).encode()

CONFIGURATIONS: dict[str, bytes] = {
    "accelerate": b"<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
    "acl": b"",
    "cors": b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>"
    b"<MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>",
    "encryption": b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256"
    b"</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
    "lifecycle": b"<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>p/</Prefix></Filter><Status>Enabled</Status>"
    b"<Expiration><Days>7</Days></Expiration></Rule></LifecycleConfiguration>",
    "logging": b"<BucketLoggingStatus/>",
    "notification": b"<NotificationConfiguration/>",
    "object-lock": b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
    "ownershipControls": b"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"
    b"</OwnershipControls>",
    "policy": POLICY,
    "publicAccessBlock": b"<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>"
    b"</PublicAccessBlockConfiguration>",
    "replication": b"<ReplicationConfiguration><Role>arn:aws:iam::1:role/r</Role></ReplicationConfiguration>",
    "requestPayment": b"<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
    "tagging": b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
    "versioning": b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
    "website": b"<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>",
    "analytics&id=a": b"<AnalyticsConfiguration><Id>a</Id></AnalyticsConfiguration>",
    "intelligent-tiering&id=a": b"<IntelligentTieringConfiguration><Id>a</Id></IntelligentTieringConfiguration>",
    "inventory&id=a": b"<InventoryConfiguration><Id>a</Id></InventoryConfiguration>",
    "metrics&id=a": b"<MetricsConfiguration><Id>a</Id></MetricsConfiguration>",
    "abac": b"<AbacStatus><Status>Enabled</Status></AbacStatus>",
    "metadataTable": b"<MetadataTableConfiguration/>",
}

READ_ONLY = [
    "analytics",
    "intelligent-tiering",
    "inventory",
    "location",
    "metrics",
    "policyStatus",
    "session",
    "ownershipControls",
    "metadataConfiguration",
    "nonsense",
]

CREATE = {
    "plain": ("{fresh}", {}, b""),
    "location": (
        "{fresh}",
        {},
        b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>",
    ),
    "location-bad": (
        "{fresh}",
        {},
        b"<CreateBucketConfiguration><LocationConstraint>nowhere</LocationConstraint></CreateBucketConfiguration>",
    ),
    "not-xml": ("{fresh}", {}, b"nonsense"),
    "acl": ("{fresh}", {"x-amz-acl": "private"}, b""),
    "object-lock": ("{fresh}", {"x-amz-bucket-object-lock-enabled": "true"}, b""),
    "trailing-slash": ("{fresh}/", {}, b""),
    "exists": ("{bucket}", {}, b""),
    "short-name": ("ab", {}, b""),
    "long-name": ("b" * 64, {}, b""),
    "upper-case": ("S3d-Upper", {}, b""),
    "underscore": ("s3d_under_score", {}, b""),
    "ip-address": ("192.168.5.4", {}, b""),
    "dots": ("s3d..dots", {}, b""),
}


def scenarios() -> list[Scenario]:
    found = [
        change(
            f"bucket-{name.partition('&')[0]}",
            Step("PUT", "/{fresh}"),
            Step("GET", f"/{{fresh}}?{name}"),
            Step(
                "PUT",
                f"/{{fresh}}?{name}",
                {"x-amz-acl": "private"}
                if name == "acl"
                else {"Content-MD5": md5(document)}
                if name != "policy"
                else {},
                document,
            ),
            Step("GET", f"/{{fresh}}?{name}"),
            Step("DELETE", f"/{{fresh}}?{name}"),
            Step("GET", f"/{{fresh}}?{name}"),
            Step("PUT", f"/{{fresh}}?{name}", {}, b"nonsense"),
            arrange("DELETE", "/{fresh}"),
        )
        for name, document in CONFIGURATIONS.items()
    ]
    found += [read(f"bucket-get-{name}", f"/{{library}}?{name}") for name in READ_ONLY]
    found += [
        change(
            f"create-{name}",
            Step("PUT", f"/{bucket}", headers, body),
            *([Step("HEAD", f"/{bucket}")] if "fresh" in bucket else []),
        )
        for name, (bucket, headers, body) in CREATE.items()
    ]
    found += [
        change(
            "bucket-life",
            Step("PUT", "/{fresh}"),
            Step("HEAD", "/{fresh}"),
            Step("DELETE", "/{fresh}"),
            Step("HEAD", "/{fresh}"),
        ),
        change("create-twice", Step("PUT", "/{fresh}"), Step("PUT", "/{fresh}"), Step("DELETE", "/{fresh}")),
        change(
            "delete-not-empty",
            Step("PUT", "/{fresh}"),
            Step("PUT", "/{fresh}/k", {}, b"x"),
            Step("DELETE", "/{fresh}"),
            Step("GET", "/{fresh}/k"),
        ),
        change("delete-missing-bucket", Step("DELETE", "/{fresh}")),
        read(
            "cors-preflight-bucket",
            "/{library}",
            {"Origin": "http://a", "Access-Control-Request-Method": "PUT"},
            method="OPTIONS",
            auth="none",
        ),
        change(
            "versioning",
            Step("PUT", "/{fresh}"),
            Step(
                "PUT",
                "/{fresh}?versioning",
                {},
                b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            ),
            Step("PUT", "/{fresh}/k", {}, b"1", save={"ver1": "(?i)x-amz-version-id: (\\S+)"}),
            Step("PUT", "/{fresh}/k", {}, b"22", save={"ver2": "(?i)x-amz-version-id: (\\S+)"}),
            Step("GET", "/{fresh}/k?versionId={ver1}"),
            Step("HEAD", "/{fresh}/k?versionId={ver2}"),
            Step("DELETE", "/{fresh}/k", save={"ver3": "(?i)x-amz-version-id: (\\S+)"}),
            Step("GET", "/{fresh}/k"),
            Step("GET", "/{fresh}/k?versionId={ver3}"),
            Step(
                "PUT",
                "/{fresh}/c",
                {"x-amz-copy-source": "/{fresh}/k?versionId={ver1}"},
                save={"ver4": "(?i)x-amz-version-id: (\\S+)"},
            ),
            Step("PUT", "/{fresh}/k?tagging&versionId={ver1}", {}, CONFIGURATIONS["tagging"]),
            Step("DELETE", "/{fresh}/k?versionId={ver3}"),
            Step("DELETE", "/{fresh}/k?versionId={ver1}"),
            Step("DELETE", "/{fresh}/k?versionId=nonsense"),
        ),
        change(
            "object-lock",
            Step("PUT", "/{fresh}", {"x-amz-bucket-object-lock-enabled": "true"}),
            Step(
                "PUT",
                "/{fresh}/k",
                {"x-amz-object-lock-legal-hold": "ON"},
                b"1",
                save={"ver1": "(?i)x-amz-version-id: (\\S+)"},
            ),
            Step("GET", "/{fresh}/k?legal-hold"),
            Step("DELETE", "/{fresh}/k?versionId={ver1}"),
            Step("PUT", "/{fresh}/k?legal-hold", {}, b"<LegalHold><Status>OFF</Status></LegalHold>"),
            Step("DELETE", "/{fresh}/k?versionId={ver1}", {"x-amz-bypass-governance-retention": "true"}),
        ),
    ]
    return found
