"""``python -m faceops``."""

from faceops.cli import main

if __name__ == "__main__":
    main()
