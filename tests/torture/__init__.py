"""Does to recordings what life does, and counts what they survive; `python -m tests.torture`."""
