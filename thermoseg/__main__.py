"""Lets `python -m thermoseg` do what `thermoseg` does."""

import sys

from thermoseg.cli import main

if __name__ == "__main__":
    sys.exit(main())
