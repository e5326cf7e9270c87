"""Bucket configurations that S3 acts on and the model only stores and returns, and those that it does not have."""

from __future__ import annotations

from collections.abc import Callable

from model.store import Answer, Bucket, Call

from s3d.s3.errors import S3Error

Handler = Callable[[Bucket, Call], Answer]
_TRANSITION = "TransitionDefaultMinimumObjectSize"

_WRAPPED = {
    "PublicAccessBlock": ("PublicAccessBlockConfiguration", "NoSuchPublicAccessBlockConfiguration"),
    "BucketEncryption": ("ServerSideEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError"),
    "BucketOwnershipControls": ("OwnershipControls", "OwnershipControlsNotFoundError"),
    "BucketPolicy": ("Policy", "NoSuchBucketPolicy"),
}
"""By the name in its operations: the member that holds it both ways, and the error when there is none."""

_ABSENT: dict[str, str] = {
    "GetBucketReplication": "ReplicationConfigurationNotFoundError",
    "GetBucketWebsite": "NoSuchWebsiteConfiguration",
    "GetObjectLockConfiguration": "ObjectLockConfigurationNotFoundError",
}
_EMPTY: dict[str, dict[str, str]] = {
    "GetBucketNotificationConfiguration": {},
    "GetBucketLogging": {},
    "GetBucketAccelerateConfiguration": {},
    "GetBucketRequestPayment": {"Payer": "BucketOwner"},
}


def _not_found(bucket: Bucket, code: str) -> S3Error:
    return S3Error(code, elements={"BucketName": bucket.name})


def _put(reads: str, members: Callable[[Call], object]) -> Handler:
    def put(bucket: Bucket, call: Call) -> Answer:
        bucket.configurations[reads] = members(call)
        return Answer()

    return put


def _get(reads: str, code: str) -> Handler:
    def get(bucket: Bucket, call: Call) -> Answer:
        if reads not in bucket.configurations:
            raise _not_found(bucket, code)
        return Answer(bucket.configurations[reads])

    return get


def _delete(reads: str) -> Handler:
    def delete(bucket: Bucket, call: Call) -> Answer:
        bucket.configurations.pop(reads, None)
        return Answer()

    return delete


def _absent(code: str) -> Handler:
    def get(bucket: Bucket, call: Call) -> Answer:
        raise _not_found(bucket, code)

    return get


def _always(members: dict[str, str]) -> Handler:
    return lambda bucket, call: Answer(members)


def _put_lifecycle(bucket: Bucket, call: Call) -> Answer:
    """S3 says in both answers from which size on objects change their storage class."""
    size = {_TRANSITION: call.members.get(_TRANSITION, "all_storage_classes_128K")}
    bucket.configurations["GetBucketLifecycleConfiguration"] = {**call.members["LifecycleConfiguration"], **size}
    return Answer(size)


def _wrapped(member: str) -> Callable[[Call], object]:
    return lambda call: {member: call.members[member]}


def _handlers() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for name, (member, code) in _WRAPPED.items():
        found[f"Put{name}"] = _put(f"Get{name}", _wrapped(member))
        found[f"Get{name}"] = _get(f"Get{name}", code)
        found[f"Delete{name}"] = _delete(f"Get{name}")
    found["PutBucketCors"] = _put("GetBucketCors", lambda call: call.members["CORSConfiguration"])
    found["GetBucketCors"] = _get("GetBucketCors", "NoSuchCORSConfiguration")
    found["DeleteBucketCors"] = _delete("GetBucketCors")
    lifecycle = "GetBucketLifecycleConfiguration"
    found["PutBucketLifecycleConfiguration"] = _put_lifecycle
    found[lifecycle] = _get(lifecycle, "NoSuchLifecycleConfiguration")
    found["DeleteBucketLifecycle"] = _delete(lifecycle)
    found["GetBucketTagging"] = _get("GetBucketTagging", "NoSuchTagSet")
    found["DeleteBucketTagging"] = _delete("GetBucketTagging")
    found |= {name: _absent(code) for name, code in _ABSENT.items()}
    found |= {name: _always(members) for name, members in _EMPTY.items()}
    return found


HANDLERS = _handlers()
