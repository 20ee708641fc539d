"""Camera drivers: one module per kind of camera, found by entry point."""
