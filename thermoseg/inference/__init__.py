"""Networks at work: one image in, one label per pixel out."""
