"""The segments of a track, from its embeddings; and whether embeddings fit a model at all.

Where a segment ends is decided by the first encoder, window by window. What it is, is decided as
for a whole track: by all its windows together, and by the second encoder where the first is in
doubt.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import ModelError
from tonearm.model.encoder import Embeddings
from tonearm.model.file import Model
from tonearm.model.head import Head
from tonearm.timeline.segments import Segment, segments

Float32 = NDArray[np.float32]
_ROUNDING = 1e-3  # of embeddings in half precision


def track_segments(model: Model, embeddings: Embeddings) -> list[Segment]:
    """Divide a track into segments of one genre, or of unknown.

    Parameters
    ----------
    model : Model
        What classifies them.
    embeddings : Embeddings
        Of the whole track; one window a second gives segments to the second.

    Raises
    ------
    ModelError
        When the embeddings are not such as this model's encoders give.
    """
    head, window_s = model.head, model.features.window_s
    windows, starts_s = checked_windows(head, embeddings.values), embeddings.starts_s

    def together(start: int, stop: int) -> tuple[str | None, float]:
        # Single windows are classified by the first encoder alone, a segment by both.
        texture = _texture_within(
            model, embeddings, float(starts_s[start]), float(starts_s[stop - 1]) + window_s
        )
        output = head.classify(windows[start:stop], texture, duration_s=embeddings.duration_s)
        return output.named(head.labels)

    return segments(
        starts_s,
        head.classify_each(windows),
        (*model.labels, None),  # the last state is unknown
        together=together,
        duration_s=embeddings.duration_s,
        window_s=window_s,
    )


def _texture_within(
    model: Model, embeddings: Embeddings, start_s: float, stop_s: float
) -> Float32 | None:
    """Texture windows of which more than half lies in that segment; None if there is none."""
    texture = checked_texture(model.head, embeddings.texture)
    starts_s = embeddings.texture_starts_s
    if texture is None or starts_s is None or model.texture is None:
        return None
    # A track shorter than 30 s has one window, which is the track repeated.
    window_s = min(model.texture.features.window_s, embeddings.duration_s)
    shared_s = np.minimum(starts_s + window_s, stop_s) - np.maximum(starts_s, start_s)
    # A long window that lies half in the next segment votes for the other genre too.
    inside = texture[shared_s > window_s / 2]
    return inside if len(inside) else None


def checked_windows(head: Head, windows: NDArray[np.floating[Any]]) -> Float32:
    """Windows [n, d] as float32, if this head can classify them.

    Parameters
    ----------
    head : Head
        Which says how many numbers an embedding has.
    windows : array [n, d]
        Whatever a caller passed as embeddings.

    Raises
    ------
    ModelError
        When it is no array of such numbers.
    """
    try:
        array = np.asarray(windows, dtype=np.float32)
    except (TypeError, ValueError):
        raise ModelError(
            f"classify needs Embeddings or an array of windows, not {type(windows).__name__}"
        ) from None
    if array.ndim != 2 or not len(array) or array.shape[1] != head.dimensions:
        raise ModelError(
            f"windows of shape {array.shape} given; this model classifies "
            f"[n, {head.dimensions}] with n of 1 or more"
        )
    if not np.isfinite(array).all():
        raise ModelError("the windows hold values that are not numbers")
    low, high = float(array.min()), float(array.max())
    # A power spreads out probabilities: such a head was fitted on nothing else, and clips.
    if head.power != 1 and not (-_ROUNDING <= low <= high <= 1 + _ROUNDING):
        raise ModelError(
            f"the windows reach from {low:.3g} to {high:.3g}, but the encoder of this model gives "
            "probabilities"
        )
    return array


def checked_texture(head: Head, texture: Float32 | None) -> Float32 | None:
    """Texture windows [m, t], or None where this head cannot use them.

    Parameters
    ----------
    head : Head
        Which says whether it uses texture, and of how many numbers.
    texture : float32 [m, t] or None
        From the second encoder, if it was asked.

    Raises
    ------
    ModelError
        When the shape is not what this head's second encoder gives.
    """
    if texture is None or head.texture is None:
        return None
    if texture.ndim != 2 or texture.shape[1] != head.texture.dimensions or not len(texture):
        raise ModelError(
            f"texture of shape {texture.shape} given; this model classifies "
            f"[m, {head.texture.dimensions}] with m of 1 or more"
        )
    return texture
