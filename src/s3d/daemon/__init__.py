"""The composition root: configuration, building, running and the admin listener.

``settings`` (the table of settings) is cheap to import, so that ``s3d --help`` can read it; nothing is imported here.
"""
