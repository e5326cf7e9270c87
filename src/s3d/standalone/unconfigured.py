"""Features that no bucket here has: reads say that they are not configured, as S3 does; a put that turns one off is
accepted, one that would need acting is refused; deletes find nothing to delete."""

from __future__ import annotations

from collections.abc import Callable

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import bucket_setting, lookup
from s3d.standalone.bucket_setting import Handler
from s3d.standalone.store import Call, Members, Store

_EMPTY: dict[str, Members] = {
    "GetBucketAbac": {"AbacStatus": {"Status": "Disabled"}},
    "GetBucketAccelerateConfiguration": {},
    "GetBucketLogging": {},
    "GetBucketNotification": {},
    "GetBucketNotificationConfiguration": {},
    "GetBucketRequestPayment": {"Payer": "BucketOwner"},
    "ListBucketAnalyticsConfigurations": {"IsTruncated": False},
    "ListBucketIntelligentTieringConfigurations": {"IsTruncated": False},
    "ListBucketInventoryConfigurations": {"IsTruncated": False},
    "ListBucketMetricsConfigurations": {"IsTruncated": False},
}
"""Reads that S3 answers with what is not there left out."""

_MISSING = {
    "GetBucketAnalyticsConfiguration": "NoSuchConfiguration",
    "GetBucketIntelligentTieringConfiguration": "NoSuchConfiguration",
    "GetBucketInventoryConfiguration": "NoSuchConfiguration",
    "GetBucketMetricsConfiguration": "NoSuchConfiguration",
    "GetBucketReplication": "ReplicationConfigurationNotFoundError",
    "GetBucketWebsite": "NoSuchWebsiteConfiguration",
    "GetObjectLockConfiguration": "ObjectLockConfigurationNotFoundError",
}
"""Reads that S3 answers with an error."""

_DELETES = (
    "DeleteBucketAnalyticsConfiguration",
    "DeleteBucketIntelligentTieringConfiguration",
    "DeleteBucketInventoryConfiguration",
    "DeleteBucketMetricsConfiguration",
    "DeleteBucketReplication",
    "DeleteBucketWebsite",
)

_OFF: dict[str, tuple[str, Callable[[Members], bool]]] = {
    "PutBucketAbac": (
        "Attribute-based access control",
        lambda members: members["AbacStatus"].get("Status") == "Disabled",
    ),
    "PutBucketAccelerateConfiguration": (
        "Transfer acceleration",
        lambda members: members["AccelerateConfiguration"].get("Status") == "Suspended",
    ),
    "PutBucketLogging": (
        "Logging to a bucket",
        lambda members: "LoggingEnabled" not in members["BucketLoggingStatus"],
    ),
    "PutBucketNotification": (
        "Event notification",
        lambda members: not members["NotificationConfiguration"],
    ),
    "PutBucketNotificationConfiguration": (
        "Event notification",
        lambda members: not members["NotificationConfiguration"],
    ),
    "PutBucketRequestPayment": (
        "Payment by the requester",
        lambda members: members["RequestPaymentConfiguration"]["Payer"] == "BucketOwner",
    ),
}
"""Puts that can turn something off: the feature, and whether they do."""

_REFUSED = {
    "PutBucketAnalyticsConfiguration": "Storage class analysis",
    "PutBucketIntelligentTieringConfiguration": "Intelligent tiering",
    "PutBucketInventoryConfiguration": "Inventory",
    "PutBucketMetricsConfiguration": "Request metrics",
    "PutBucketReplication": "Replication",
    "PutBucketWebsite": "Website hosting",
}
"""All other puts."""

_LOCK_OF_OBJECT = ("GetObjectLegalHold", "GetObjectRetention", "PutObjectLegalHold", "PutObjectRetention")


def not_implemented(feature: str) -> S3Error:
    """The error that names a feature; ``feature`` begins the sentence."""
    return S3Error("NotImplemented", f"{feature} is not implemented by this store.")


def _empty(operation: str) -> Handler:
    async def get(store: Store, call: Call) -> S3Response:
        store.bucket(call.bucket)
        return codec.build_response(operation, _EMPTY[operation])

    return get


def _missing(code: str) -> Handler:
    async def get(store: Store, call: Call) -> S3Response:
        raise bucket_setting.not_set(store.bucket(call.bucket), code)

    return get


def _delete(operation: str) -> Handler:
    async def delete(store: Store, call: Call) -> S3Response:
        store.bucket(call.bucket)
        return codec.build_response(operation, {})

    return delete


def _off(operation: str) -> Handler:
    feature, is_off = _OFF[operation]

    async def put(store: Store, call: Call) -> S3Response:
        store.bucket(call.bucket)
        if not is_off(call.members):
            raise not_implemented(feature)
        return codec.build_response(operation, {})

    return put


def _refused(feature: str) -> Handler:
    async def put(store: Store, call: Call) -> S3Response:
        store.bucket(call.bucket)
        raise not_implemented(feature)

    return put


async def _put_object_lock(store: Store, call: Call) -> S3Response:
    """What S3 says to a bucket that cannot have it comes before what this store cannot do."""
    if store.bucket(call.bucket).versioning != "Enabled":
        message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        raise S3Error("InvalidBucketState", message)
    raise not_implemented("Object lock")


async def _lock_of_object(store: Store, call: Call) -> S3Response:
    """Retention and legal hold of an object in a bucket without object lock: InvalidRequest, as S3 says."""
    bucket = store.bucket(call.bucket)
    lookup.readable(store.reader, bucket, call.key, call.members.get("VersionId"))
    raise S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")


HANDLERS: dict[str, Handler] = {
    **{operation: _empty(operation) for operation in _EMPTY},
    **{operation: _missing(code) for operation, code in _MISSING.items()},
    **{operation: _delete(operation) for operation in _DELETES},
    **{operation: _off(operation) for operation in _OFF},
    **{operation: _refused(feature) for operation, feature in _REFUSED.items()},
    "PutObjectLockConfiguration": _put_object_lock,
    **dict.fromkeys(_LOCK_OF_OBJECT, _lock_of_object),
}
