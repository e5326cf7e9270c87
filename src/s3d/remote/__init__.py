"""The remote S3: a Backend that signs requests anew and sends them on. The only HTTP client of s3d."""
