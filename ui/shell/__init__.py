"""The frame around every page: window, rail, strip, notices, actions, preferences, theme."""
