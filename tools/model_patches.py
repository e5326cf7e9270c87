"""Where the wire differs from botocore's S3 model: each deviation one patch, with its reason.

`generate_model` applies them; a patch that names something that the model no longer has is an error there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patch:
    """Sets one ``field`` of one operation's row."""

    operation: str
    field: str
    value: object
    reason: str


def _root(
    operation: str, name: str, reason: str = "root element in the response syntax of the S3 API Reference"
) -> Patch:
    return Patch(operation, "output_root", name, reason)


_SDK_SHAPE = "the model names its shape of the SDK; the service writes the element that the matching PUT reads"

OPERATION_PATCHES = (
    _root("CompleteMultipartUpload", "CompleteMultipartUploadResult"),
    _root("CreateMultipartUpload", "InitiateMultipartUploadResult", "the operation's name before the SDKs renamed it"),
    _root("CreateSession", "CreateSessionResult"),
    _root("DeleteObjects", "DeleteResult"),
    _root("GetBucketAccelerateConfiguration", "AccelerateConfiguration", _SDK_SHAPE),
    _root("GetBucketAcl", "AccessControlPolicy", _SDK_SHAPE),
    _root("GetBucketCors", "CORSConfiguration", _SDK_SHAPE),
    _root("GetBucketLifecycle", "LifecycleConfiguration", _SDK_SHAPE),
    _root("GetBucketLifecycleConfiguration", "LifecycleConfiguration", _SDK_SHAPE),
    _root("GetBucketLogging", "BucketLoggingStatus", _SDK_SHAPE),
    _root("GetBucketNotification", "NotificationConfiguration", _SDK_SHAPE),
    _root("GetBucketRequestPayment", "RequestPaymentConfiguration", _SDK_SHAPE),
    _root("GetBucketTagging", "Tagging", _SDK_SHAPE),
    _root("GetBucketVersioning", "VersioningConfiguration", _SDK_SHAPE),
    _root("GetBucketWebsite", "WebsiteConfiguration", _SDK_SHAPE),
    _root("GetObjectAcl", "AccessControlPolicy", _SDK_SHAPE),
    _root(
        "GetObjectAttributes", "GetObjectAttributesResponse", "what the service sends; the reference shows the shape"
    ),
    _root("GetObjectTagging", "Tagging", _SDK_SHAPE),
    _root("ListBucketAnalyticsConfigurations", "ListBucketAnalyticsConfigurationResult"),
    _root("ListBucketInventoryConfigurations", "ListInventoryConfigurationsResult"),
    _root("ListBucketMetricsConfigurations", "ListMetricsConfigurationsResult"),
    _root("ListBuckets", "ListAllMyBucketsResult"),
    _root("ListDirectoryBuckets", "ListAllMyDirectoryBucketsResult"),
    _root("ListMultipartUploads", "ListMultipartUploadsResult"),
    _root(
        "ListObjectAnnotations", "ListObjectAnnotationsResult", "by analogy with the other lists; SDKs ignore the name"
    ),
    _root("ListObjectVersions", "ListVersionsResult"),
    _root("ListObjects", "ListBucketResult"),
    _root("ListObjectsV2", "ListBucketResult"),
    _root("ListParts", "ListPartsResult"),
    _root(
        "PutObjectAnnotation", "PutObjectAnnotationResult", "by analogy with the other results; SDKs ignore the name"
    ),
    Patch("PutBucketPolicy", "status", 204, "the sample response in the S3 API Reference; the model says 200"),
    Patch("PutBucketTagging", "status", 204, "the sample response in the S3 API Reference; the model says 200"),
    Patch("RestoreObject", "status", 202, "S3 API Reference: 202 Accepted for a new request, 200 to prolong one"),
    Patch(
        "WriteGetObjectResponse",
        "level",
        "bucket",
        "its path is one segment, which addressing reads as a bucket; no bucket can have a name with capitals",
    ),
    Patch("WriteGetObjectResponse", "bucket", "WriteGetObjectResponse", "the segment of the path that it is known by"),
)

CANONICAL = {
    "GetBucketLifecycleConfiguration": ("GetBucketLifecycle", "deprecated: cannot express filters"),
    "GetBucketNotificationConfiguration": ("GetBucketNotification", "deprecated: one configuration of each kind only"),
    "PutBucketLifecycleConfiguration": ("PutBucketLifecycle", "deprecated: cannot express filters"),
    "PutBucketNotificationConfiguration": ("PutBucketNotification", "deprecated: one configuration of each kind only"),
    "ListBuckets": (
        "ListDirectoryBuckets",
        "told apart by the host s3express-control, which no client of a gateway names",
    ),
}
"""Operation that a request means -> (its twin with the same request line, reason). Only ``x-id`` leads to the twin."""

HEADER_DISCRIMINATORS = {
    "x-amz-copy-source": "CopyObject is PutObject with it, UploadPartCopy is UploadPart with it",
    "x-amz-request-route": "WriteGetObjectResponse has no query; the header names the waiting GET",
}
"""Required headers that tell operations apart. Other required headers are the operation's own business."""

ADDED_OPERATIONS = {
    "PostObject": (
        {"method": "POST", "level": "bucket", "status": 204, "form": True},
        "browser uploads are a form, not an API call, so the SDKs' model lacks them (S3 API Reference: POST Object)",
    ),
    "PreflightRequest": (
        {"method": "OPTIONS", "level": "any", "any_query": True},
        "browsers ask before a cross-origin request (S3 API Reference: OPTIONS object); SDKs never do",
    ),
}

OPAQUE_MEMBERS = {
    "Expires": "S3 keeps and returns the text as given; 0 and other invalid dates are valid there (RFC 9111 section 5.3)",
}
"""Shapes that are text on the wire whatever the model says."""

CLOSED_ENUMERATIONS = {
    "ChecksumMode": "s3d must know whether checksums are asked for",
    "EncodingType": "s3d encodes merged lists itself",
    "MetadataDirective": "s3d decides whether a pending copy takes the metadata along",
    "TaggingDirective": "s3d decides whether a pending copy takes the tags along",
}
"""Enumerations whose other values are refused. All others are open: S3 adds storage classes, algorithms and ACLs all the
time, and what s3d does not understand the remote may."""

_SAME_ELEMENT = "deprecated; the element Event is also the list Events, which says the same and more"
DROPPED_MEMBERS = {
    ("CloudFunctionConfiguration", "Event"): _SAME_ELEMENT,
    ("QueueConfigurationDeprecated", "Event"): _SAME_ELEMENT,
    ("TopicConfigurationDeprecated", "Event"): _SAME_ELEMENT,
}
"""Members of structures that the table leaves out."""

TEXT_ROOTS = {
    "GetBucketLocation": "the root element itself holds the region: <LocationConstraint>eu-west-1</LocationConstraint>",
}
"""Operations whose only output member is the text of the root element."""

STREAMS = {
    "SelectObjectContent": "an event stream with a framing of its own; it passes through unread",
}
"""Operations whose output payload is a stream although the model does not call it a blob."""
