"""``python -m s3d``: the same as the command ``s3d``."""

from s3d.cli.main import main

if __name__ == "__main__":
    main()
