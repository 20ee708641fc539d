"""A synthetic thermal head with ground truth."""
