"""The second encoder's votes after a head has learnt more: new centres in the old spread.

The library holds a texture only of tracks that the first encoder was in doubt about. Where enough
tracks of a new genre have one, the genre gets a vote of its own. Where they do not, the texture
goes on voting among the genres that it knows, and the new one keeps its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tonearm.model.texture import TextureHead
from tonearm.training.head_fit import Tracks

Float64 = NDArray[np.float64]

# With fewer textures a centre costs the new genre more than it gives: they are of its hard tracks
# alone (second-encoder.md).
FEWEST = 25


def with_votes(head: TextureHead | None, new: Tracks, k: int) -> tuple[str, ...]:
    """The genres of ``new`` that get a vote of their own; the others keep their share.

    Parameters
    ----------
    head : TextureHead or None
        The texture head that they would be added to.
    new : Tracks
        Tracks of the genres that are added.
    k : int
        How many genres the head has before.
    """
    # Votes are for the first genres of a head: behind one without a vote there is no place.
    if head is None or head.covariance is None or len(head.bias) < k:
        return ()
    labels = sorted(set(new.labels))
    return tuple(label for label in labels if len(_means(new, label, head)) >= FEWEST)


def with_genres(head: TextureHead, new: Tracks, voting: Sequence[str]) -> TextureHead:
    """A texture head with a vote for each of these genres, behind the old ones.

    Parameters
    ----------
    head : TextureHead
        With its covariance.
    new : Tracks
        Tracks of the genres that are added.
    voting : sequence of str
        Those of them that :func:`with_votes` names.
    """
    if not voting:
        return head
    added = np.stack([_means(new, label, head).mean(axis=0) for label in voting])  # (added, t)
    return _with_centres(head, np.vstack([_centres(head), added]))


def moved(
    head: TextureHead, tracks: Tracks, labels: Sequence[str], *, prior_tracks: int
) -> TextureHead:
    """A texture head whose centres lie nearer to those tracks that have a texture.

    Parameters
    ----------
    head : TextureHead
        With its covariance; without one it stays as it is.
    tracks : Tracks
        Tracks with the genres that a person gave them.
    labels : sequence of str
        Genres of the head.
    prior_tracks : int
        How many tracks each present centre counts for.
    """
    if head.covariance is None:
        return head
    centres = _centres(head)
    given = 0
    for i, label in enumerate(labels[: len(centres)]):
        own = _means(tracks, label, head)
        if len(own):
            total = prior_tracks * centres[i] + own.sum(axis=0)
            centres[i] = total / (prior_tracks + len(own))
            given += len(own)
    return _with_centres(head, centres) if given else head


def _means(tracks: Tracks, label: str, head: TextureHead) -> Float64:
    """Mean textures [n, t] of those tracks of a genre that have one, as the head counts them."""
    own = [
        head.limited(texture).mean(axis=0)
        for texture, given in zip(tracks.textures, tracks.labels, strict=False)
        if given == label and texture is not None
    ]
    return np.stack(own) if own else np.empty((0, 0))


def _centres(head: TextureHead) -> Float64:
    """The centres [k, t] whose votes these are: each weight is the spread's inverse times one."""
    assert head.covariance is not None
    return np.asarray((head.covariance @ head.weight).T)


def _with_centres(head: TextureHead, centres: Float64) -> TextureHead:
    """The same head with other centres [k, t], or with more."""
    assert head.covariance is not None
    weight = np.asarray(np.linalg.solve(head.covariance, centres.T), dtype=np.float64)
    return replace(
        head,
        weight=weight,
        bias=-0.5 * (centres.T * weight).sum(axis=0),
        # Those of the old votes; reasons by bands then take them from the encoder.
        modulation_weight=None,
    )
