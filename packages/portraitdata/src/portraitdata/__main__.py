"""``python -m portraitdata``."""

from portraitdata.cli import main

if __name__ == "__main__":
    main()
