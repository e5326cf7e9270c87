"""The S3 protocol without I/O: what a request means, and how it and its answer are written on the wire.

Nothing here opens a socket or a file, so every rule of the protocol can be tested with plain values.
"""
