"""The second encoder's votes for genres that are added: a new centre in the spread of the old ones.

The library holds a texture only of tracks that the first encoder was in doubt about. Where enough
tracks of each new genre have one, the head goes on asking both encoders. Where they do not, it asks
the first alone: votes for the old genres without any for the new ones would take the new genre's
music away (with no opinion on it, a genre left out of GTZAN lost 7 to 28 points of recall).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tonearm.model.texture import TextureHead
from tonearm.training.head_fit import Tracks

# Fewer tracks do not make a centre.
FEWEST = 5


def with_genres(
    head: TextureHead | None, new: Tracks, added: tuple[str, ...]
) -> TextureHead | None:
    """The votes of a texture head and those for genres that are added behind the old ones.

    None where the model has no second encoder or does not hold its covariance, or where fewer than
    `FEWEST` tracks of a new genre have a texture.

    Parameters
    ----------
    head : TextureHead or None
    new : Tracks
        Tracks of the genres that are added.
    added : tuple of str
        These genres, in the order of their votes.
    """
    if head is None or head.covariance is None:
        return None
    centres = []
    for label in added:
        own = [
            np.asarray(texture, dtype=np.float64).mean(axis=0)
            for texture, given in zip(new.textures, new.labels, strict=False)
            if given == label and texture is not None
        ]
        if len(own) < FEWEST:
            return None
        centres.append(np.mean(own, axis=0))
    together = np.stack(centres)  # (added, t)
    weight = np.linalg.solve(head.covariance, together.T)  # (t, added)
    bias = -0.5 * (together.T * weight).sum(axis=0)
    return replace(
        head,
        weight=np.hstack([head.weight, weight]),
        bias=np.append(head.bias, bias),
        # Reasons by bands need votes in the filters' own numbers, which are not kept.
        modulation_weight=None,
        modulation_mean=None,
    )
