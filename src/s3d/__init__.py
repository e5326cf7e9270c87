"""s3d, the S3 daemon: the S3 API on localhost, in front of one remote S3 storage."""

__version__ = "0.1.0"
