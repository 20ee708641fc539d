"""Learning to segment thermal faces."""
