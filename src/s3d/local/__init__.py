"""The local directory: a lock, a SQLite database with group commit, bodies as rows or files. Nothing here knows S3's rules;
the embedded store keeps its objects in it, and the write queue will keep its entries."""
