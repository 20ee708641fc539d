"""The page that opens recordings again."""
