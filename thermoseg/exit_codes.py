"""What the command line ends with, for shells and scripts."""

from typing import Final

OK: Final = 0
FAILED: Final = 1
DAMAGED: Final = 3
"""Something of a session is lost or damaged; 2 is wrong usage."""
INTERRUPTED: Final = 130
"""128 + the number of SIGINT, as shells have it."""
