"""The thermal picture and what lies on it; knows no camera, no thread, no page."""
