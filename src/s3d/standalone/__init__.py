"""The embedded store: a Backend that is an S3 store of its own, on a local directory."""
