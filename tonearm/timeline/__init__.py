"""Timelines: from predictions of windows to segments, and formats for other programs."""
