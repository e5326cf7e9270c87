"""The HTTP listener: sockets, framing, body verification; it turns HTTP into S3 requests for a Backend."""
