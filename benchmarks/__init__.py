"""Speed and memory of Tonearm and of other programs: ``python -m benchmarks``."""
