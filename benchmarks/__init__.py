"""Speed and memory of Tonearm beside other ways to do the same: ``python -m benchmarks``."""
