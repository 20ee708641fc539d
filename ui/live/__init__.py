"""The page that watches and records a camera."""
