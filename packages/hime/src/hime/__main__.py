"""``python -m hime``."""

from hime.cli import main

if __name__ == "__main__":
    main()
