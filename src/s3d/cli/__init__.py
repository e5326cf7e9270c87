"""The command ``s3d``: one file per verb, loaded when the verb is used.

What a verb needs beyond click is imported inside of its function, so that ``s3d --help`` costs an import of click.
"""
