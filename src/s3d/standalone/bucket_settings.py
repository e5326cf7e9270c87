"""Settings that are kept and given back: tags, encryption, public access block, ownership controls.

A bucket has none of the last three until they are put, unlike a new one at Amazon: nothing here encrypts, and there is
nobody to keep out.
"""

from __future__ import annotations

import json

from s3d.local.database import Connection
from s3d.s3.errors import S3Error
from s3d.standalone import acl, bucket_setting, tags
from s3d.standalone.bucket import Bucket
from s3d.standalone.bucket_setting import Handler, Setting
from s3d.standalone.store import Call, Members

_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_OWNERSHIPS = frozenset({"BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"})
_KMS = frozenset({"aws:kms", "aws:kms:dsse"})


def stored_ownership(ownership: str) -> str:
    """The ownership controls that the header ``x-amz-object-ownership`` means. Raises InvalidArgument."""
    if ownership not in _OWNERSHIPS:
        elements = {"ArgumentName": "x-amz-object-ownership", "ArgumentValue": ownership}
        raise S3Error("InvalidArgument", f"Invalid x-amz-object-ownership header: {ownership}", elements=elements)
    return json.dumps({"Rules": [{"ObjectOwnership": ownership}]})


def _tagging(call: Call) -> str | None:
    return tags.of_members(call.members["Tagging"], tags.BUCKET_LIMIT)


def _encryption(call: Call) -> str:
    """Raises MalformedXML, InvalidArgument."""
    configuration: Members = call.members["ServerSideEncryptionConfiguration"]
    if len(configuration["Rules"]) != 1:
        raise S3Error("MalformedXML")
    rule = configuration["Rules"][0]
    default = rule.get("ApplyServerSideEncryptionByDefault")
    if default is not None:
        algorithm = default["SSEAlgorithm"]
        if algorithm != "AES256" and algorithm not in _KMS:
            raise S3Error("MalformedXML")
        if default.get("KMSMasterKeyID") is not None and algorithm not in _KMS:
            message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
            raise S3Error("InvalidArgument", message, elements={"ArgumentName": "ApplyServerSideEncryptionByDefault"})
    return json.dumps({"Rules": [{"BucketKeyEnabled": False} | rule]})


def _public_access_block(call: Call) -> str:
    """Raises MalformedXML. What is left out is false."""
    configuration: Members = call.members["PublicAccessBlockConfiguration"]
    if not configuration:
        raise S3Error("MalformedXML")
    return json.dumps({name: configuration.get(name, False) for name in _BLOCKS})


def _ownership(call: Call) -> str:
    """Raises MalformedXML."""
    rules = call.members["OwnershipControls"]["Rules"]
    if len(rules) != 1 or rules[0]["ObjectOwnership"] not in _OWNERSHIPS:
        raise S3Error("MalformedXML")
    return json.dumps({"Rules": rules})


def _check_acl(connection: Connection, bucket: Bucket, ownership: str | None) -> None:
    acl.check_ownership(ownership, bucket_setting.read(connection, bucket, acl.SETTING))


_SETTINGS = {
    "BucketTagging": Setting("tagging", "NoSuchTagSet", _tagging, lambda text: {"TagSet": tags.members(text)}),
    "BucketEncryption": Setting(
        "encryption",
        "ServerSideEncryptionConfigurationNotFoundError",
        _encryption,
        lambda text: {"ServerSideEncryptionConfiguration": json.loads(text)},
    ),
    "PublicAccessBlock": Setting(
        "publicAccessBlock",
        "NoSuchPublicAccessBlockConfiguration",
        _public_access_block,
        lambda text: {"PublicAccessBlockConfiguration": json.loads(text)},
    ),
    "BucketOwnershipControls": Setting(
        "ownershipControls",
        "OwnershipControlsNotFoundError",
        _ownership,
        lambda text: {"OwnershipControls": json.loads(text)},
        _check_acl,
    ),
}
"""By the name in their operations."""

HANDLERS: dict[str, Handler] = {
    f"{verb}{name}": make(setting)
    for name, setting in _SETTINGS.items()
    for verb, make in (
        ("Put", bucket_setting.putter),
        ("Get", bucket_setting.getter),
        ("Delete", bucket_setting.deleter),
    )
}
