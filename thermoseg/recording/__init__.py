"""The session file: written while measuring, read afterwards, mended after a crash."""
