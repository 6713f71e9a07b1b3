"""Data sets: tracks and their files, splits, stored features."""
