"""Measurements that `make bench` prints; each `bench_*.py` runs alone, too."""
