"""A lesson: the corrections of a library, what they would bring, and the model that they make.

``tonearm learn`` and the page give the same lesson. Must not import torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from tonearm.data.groups import group_of
from tonearm.library.classify import classify_stored, stored_sounds
from tonearm.library.reviews import corrections
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.model.file import Model
from tonearm.training import caveats
from tonearm.training import corrections as learning
from tonearm.training.head_fit import Tracks
from tonearm.training.learnt_sounds import LearntSounds, also_learnt

FEWEST = learning.FEWEST
_ADVICE = "Write the artists into the files' tags, and scan again."


@dataclass(frozen=True)
class Lesson:
    """What a library's owner corrected, for one model to learn from.

    Parameters
    ----------
    base : Model
        The model that learns.
    keys : list of str
        Sound keys of the corrections.
    tracks : Tracks
        Their embeddings, genres and artists.
    """

    base: Model
    keys: list[str]
    tracks: Tracks

    @classmethod
    def of(cls, library: Library, base: Model) -> Lesson:
        """The corrections of sounds that the model's encoder analysed and it has not learnt yet.

        What an adopted model learnt from would count twice in the next lesson, and the gain would
        be measured on tracks that it knows.

        Parameters
        ----------
        library : Library
            The library, open, with its reviews.
        base : Model
            The model in use.
        """
        # Only what this encoder analysed: numbers of another one mean something else.
        found = corrections(library, encoder=base.encoder_sha256)
        learnt = LearntSounds.in_training(base.training)
        if learnt is not None:
            known = set(learnt.keys)
            found = [correction for correction in found if correction.key not in known]
        tracks = Tracks(
            [correction.windows for correction in found],
            [correction.genre for correction in found],
            # Without an artist the sound key stands for itself.
            [group_of(correction.key, artist=correction.artist) for correction in found],
            [correction.texture for correction in found],
        )
        return cls(base, [correction.key for correction in found], tracks)

    def measure(self, *, seed: int = 0) -> learning.Learnt:
        """What the corrections bring, on corrections held out; see :func:`learning.measure`.

        Parameters
        ----------
        seed : int
            Of the folds.
        """
        names = self.base.embedding_names
        return learning.measure(self.base.head, self.tracks, names=names, seed=seed)

    def caveats(self) -> list[caveats.Caveat]:
        """What may make these figures too good."""
        found = [
            # Of a library, artists are known by the tags of its files alone.
            *caveats.of_artists(self.tracks.groups, advice=_ADVICE),
            *caveats.of_new_genres(self.tracks.labels, self.base.labels),
        ]
        # The built-in never saw a person's library; another model may have.
        if self.base.sha256 != model_file.load().sha256:
            found = [*found, *caveats.of_base(self.base.training)]
        return found

    def taught(self, learnt: learning.Learnt) -> Model:
        """The model after the lesson; its checksum comes with its file.

        Parameters
        ----------
        learnt : Learnt
            From :meth:`measure`; kept in the model's metrics.
        """
        head = learning.correct(self.base.head, self.tracks, names=self.base.embedding_names)
        sounds = LearntSounds.of(self.keys, self.tracks.windows)
        about = also_learnt(self.base, f"{learnt.n} corrections", sounds)
        return replace(
            self.base,
            name=f"{self.base.name}+",
            # It is that of the file, and there is no file before somebody adopts the model.
            sha256="",
            head=head,
            training={**about, "corrections": learnt.n},
            metrics={"corrections": learnt.to_dict()},
        )


def changes(
    library: Library,
    model: Model,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Counter[tuple[str | None, str | None]]:
    """How many files another model would name otherwise, by genre before and after; no audio.

    Parameters
    ----------
    library : Library
        Whose sounds are classified; it is not written.
    model : Model
        With the encoder that analysed the library.
    on_progress : callable
        Called with the sounds that are done and all there are; may raise to stop.
    """
    files = dict(
        library.rows(
            "SELECT sound, count(*) FROM tracks WHERE sound IS NOT NULL AND NOT missing GROUP BY 1"
        )
    )
    # Sounds, not files: copies are classified once.
    total = int(library.rows("SELECT count(*) FROM sounds")[0][0])
    found: Counter[tuple[str | None, str | None]] = Counter()
    done = 0
    for batch in stored_sounds(library, model.encoder_sha256):
        for sound in batch:
            after = classify_stored(model, sound.kept).genre
            if after != sound.genre:
                found[sound.genre, after] += files.get(sound.number, 0)
            done += 1
            # Each call goes through the server's job and to the page.
            if done % 100 == 0:
                on_progress(done, total)
    on_progress(total, total)
    return found
