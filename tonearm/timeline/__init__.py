"""Timelines: from one prediction a window to segments, and the formats other programs read."""
