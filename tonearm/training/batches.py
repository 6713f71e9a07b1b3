"""The tracks of a split as batches of windows; the same whatever number of processes asks.

All chance comes from (seed, epoch, step): every process draws the whole batch and keeps its
part, so that two processes see what one would, and a resumed run what the killed one would have.
Must not import onnxruntime, or know of Fabric.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tonearm import windows
from tonearm.data import feature_store, groups, index, prepare, splits
from tonearm.data.feature_store import FeatureStore
from tonearm.data.index import Track
from tonearm.data.splits import EXCERPTS, Split
from tonearm.errors import DatasetError
from tonearm.features import FeatureSpec
from tonearm.nets import Architecture
from tonearm.training import several_genres

_CACHE_BYTES = 2 * 2**30  # GTZAN's 1,000 clips fit; see `levels`


@dataclass(frozen=True)
class Example:
    """One window: of which track, beginning where, and its class.

    Parameters
    ----------
    track : Track
        Whose window it is.
    start : int
        First frame; -1 where it is drawn later.
    label : int
        Place of its genre among the labels.
    """

    track: Track
    start: int
    label: int


class Data:
    """The subsets of a split over a prepared folder.

    Parameters
    ----------
    folder : path
        A prepared folder.
    split : Split
        Which tracks are learnt from, and which are measured on.
    model : Architecture
        Says how long a window is.
    """

    def __init__(self, folder: str | Path, split: Split, model: Architecture) -> None:
        made = index.load(folder)
        self.store: FeatureStore = feature_store.open_store(Path(folder) / prepare.FEATURES)
        self.spec: FeatureSpec = feature_store.spec_of(self.store, window_s=model.window_s)
        self.split = split
        found = {subset: splits.find(split, subset, made) for subset in split.subsets}
        self.subsets = {subset: each.tracks for subset, each in found.items()}
        self._excerpts = {subset: each.excerpts for subset, each in found.items()}
        self.several = model.recipe.several_genres
        chosen = [track for subset in splits.SUBSETS for track in self.subsets.get(subset, ())]
        self.labels = tuple(sorted({genre for track in chosen for genre in self.genres(track)}))
        # Genres by one artist alone: learnt, but never measured.
        used = [track for subset in self.subsets.values() for track in subset]
        self.lonely = set(groups.lonely_genres([t.genre for t in used], [t.group for t in used]))
        self._check()
        self._cache: dict[str, NDArray[np.generic]] = {}
        self._cached_bytes = 0

    def genres(self, track: Track) -> tuple[str, ...]:
        """What is learnt of a track: its genre, or all of its genres.

        Parameters
        ----------
        track : Track
            A track of the data set.
        """
        return track.genres if self.several else (track.genre,)

    def _check(self) -> None:
        """Refuse what no net can learn from, with what is missing."""
        groups.refuse_few(self.labels)
        for subset in ("train", "valid"):
            have = {g for track in self.subsets.get(subset, ()) for g in self.genres(track)}
            # A lonely genre is learnt, but cannot be in valid: its one artist is in train.
            lost = sorted(set(self.labels) - have - (self.lonely if subset == "valid" else set()))
            if not have:
                raise DatasetError(
                    f"no track of the {subset} subset of split {self.split.name} is here, and a "
                    "network needs both train and valid"
                )
            if lost:
                raise DatasetError(
                    f"the {subset} subset of split {self.split.name} has no track of "
                    f"{', '.join(lost)}"
                )

    def levels(self, track: Track) -> NDArray[np.generic]:
        """Stored levels of a track, kept in memory while there are less than 2 GB of them.

        Parameters
        ----------
        track : Track
            A track of the data set.
        """
        found = self._cache.get(track.sound)
        if found is None:
            found = self.store.get(track.sound)
            if self._cached_bytes + found.nbytes <= _CACHE_BYTES:
                found = np.array(found)  # out of the mapped file
                self._cache[track.sound] = found
                self._cached_bytes += found.nbytes
        return found

    def examples(self, subset: str) -> list[Example]:
        """Windows of a subset: ten a track, or those excerpts that the split names.

        Parameters
        ----------
        subset : str
            ``train``, ``valid`` or ``test``.
        """
        excerpts = self._excerpts.get(subset, {})
        found = []
        for track in self.subsets.get(subset, ()):
            total = len(self.levels(track))
            starts = windows.place(total, self.spec.window_frames, count=EXCERPTS)
            label = self.labels.index(track.genre)
            found += [
                Example(track, int(start), label)
                for i, start in enumerate(starts)
                if track.name not in excerpts or i in excerpts[track.name]
            ]
        return found

    def windows(self, examples: Sequence[Example]) -> Tensor:
        """float32 [n, window_frames, bands].

        Parameters
        ----------
        examples : sequence of Example
            One window each.
        """
        cuts = [feature_store.cut(self.levels(e.track), e.start, self.spec) for e in examples]
        return torch.from_numpy(np.stack(cuts))

    def targets(self, examples: Sequence[Example]) -> Tensor:
        """float32 [n, labels]: 1 for the genre of each example, or for all of its genres.

        Parameters
        ----------
        examples : sequence of Example
            One row each.
        """
        if self.several:
            marks = several_genres.targets([example.track for example in examples], self.labels)
            return torch.from_numpy(marks).float()
        wanted = torch.tensor([example.label for example in examples])
        return torch.nn.functional.one_hot(wanted, len(self.labels)).float()

    def batches(
        self, model: Architecture, *, seed: int, epoch: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Training batches of an epoch: levels [n, window_frames, bands], targets [n, labels].

        Parameters
        ----------
        model : Architecture
            Its recipe says how batches are made.
        seed : int
            Of the run.
        epoch : int
            From 0 on; with the seed it decides everything random.
        """
        recipe = model.recipe
        rng = np.random.default_rng([seed, epoch])
        if recipe.crops == "excerpts":
            pool = self.examples("train")
        else:
            # -1: the place is drawn when the batch is made.
            pool = [
                Example(track, -1, self.labels.index(track.genre))
                for track in self.subsets["train"]
            ]
        order = rng.permutation(len(pool))
        for step, begin in enumerate(range(0, len(pool), recipe.batch)):
            chosen = [pool[i] for i in order[begin : begin + recipe.batch]]
            # 63 bits: a seed that fits a signed integer.
            generator = torch.Generator().manual_seed(
                int(
                    np.random.SeedSequence([seed, epoch, step]).generate_state(1, np.uint64)[0] >> 1
                )
            )
            levels = self._levels_of(chosen, model, rng, generator)  # (n, frames, bands)
            targets = self.targets(chosen)
            smooth = recipe.label_smoothing
            # Toward even odds: of all genres, or of a yes and a no.
            targets = targets * (1 - smooth) + smooth / (2 if self.several else len(self.labels))
            if recipe.mixup:
                # The larger share stays with its own target, so a pair is alike both ways.
                weight = rng.beta(recipe.mixup, recipe.mixup, len(chosen))
                kept = torch.from_numpy(np.maximum(weight, 1 - weight)).float()
                other = torch.randperm(len(chosen), generator=generator)  # partner of each
                at = kept[:, None, None]  # (n, 1, 1)
                levels = at * levels + (1 - at) * levels[other]
                targets = kept[:, None] * targets + (1 - kept[:, None]) * targets[other]
            yield levels, targets

    def _levels_of(
        self,
        chosen: Sequence[Example],
        model: Architecture,
        rng: np.random.Generator,
        generator: torch.Generator,
    ) -> Tensor:
        if model.recipe.crops == "excerpts":
            levels = self.windows(chosen)
        else:
            # Wider than a window by `margin`: augmenting shifts and stretches inside it.
            longer = int(self.spec.window_frames * (1 + model.recipe.margin))
            wide = FeatureSpec.from_dict({**self.spec.to_dict(), "window_frames": longer})
            cuts = []
            for example in chosen:
                track = self.levels(example.track)
                last = max(0, len(track) - longer)
                cuts.append(feature_store.cut(track, int(rng.integers(last + 1)), wide))
            levels = torch.from_numpy(np.stack(cuts))
        if model.augment is not None:
            levels = model.augment(levels, self.spec.window_frames, generator)
        return levels
