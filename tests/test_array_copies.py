"""Copies among clips that exist only as log-mel spectrograms."""

from __future__ import annotations

import numpy as np
import pytest

from runs import array_copies

FRAME_S = 0.0775


def clip(seed: int, frames: int = 500) -> np.ndarray:
    """Levels of notes that begin and end, [frames, 128], in decibels."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.normal(0, 12, (frames // 4, 64)), 4, axis=0)
    return -40 + np.repeat(steps, 2, axis=1).astype(np.float32)


@pytest.mark.parametrize(("begin", "length"), [(0, 500), (37, 300), (200, 200), (380, 120)])
def test_clips_of_one_recording_by_their_levels(begin: int, length: int) -> None:
    one = clip(0)
    tilt = np.linspace(-6, 6, 128, dtype=np.float32)  # an equaliser
    noise = np.random.default_rng(9).normal(0, 4, (length, 128)).astype(np.float32)
    other = 0.7 * one[begin : begin + length] + tilt + noise
    clips = {"one": one, "none": clip(1), "other": other}
    assert array_copies.find(clips, frame_s=FRAME_S) == [("one", "other")]


def test_a_stretch_too_short_is_no_copy() -> None:
    one, other = clip(0), clip(1)
    other[:60] = one[-60:]  # less than six seconds
    assert array_copies.find({"one": one, "other": other}, frame_s=FRAME_S) == []


def test_silent_clips_are_not_alike() -> None:
    still = np.full((400, 128), -80, dtype=np.float32)
    assert array_copies.find({"a": still, "b": still + 1}, frame_s=FRAME_S) == []
    assert array_copies.find({"a": still}, frame_s=FRAME_S) == []
