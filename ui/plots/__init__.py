"""Curves over time: traces, timeline; knows no camera, no thread, no page."""
