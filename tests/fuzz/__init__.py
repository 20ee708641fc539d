"""Feeds the parsers of foreign bytes with nonsense; `python -m tests.fuzz`."""
