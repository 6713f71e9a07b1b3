"""Which genres stand in which tags of a file, and what players make of them.

Players differ in three ways: which of several tags they read, whether they read more than one
value, and at which characters they split one. What MPD 0.23 does was measured (``runs.read_back``);
the other rules are from documentation and from reports of users.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tonearm.audio import open_audio
from tonearm.containers.id3v1 import V1Codec
from tonearm.containers.kinds import sniff
from tonearm.containers.mutagen_tags import genre_by_number
from tonearm.errors import DecodeError, TagError
from tonearm.tagging.fields import open_raw
from tonearm.tagging.read import read_tags


@dataclass(frozen=True)
class Player:
    """How a program reads genres.

    Parameters
    ----------
    name : str
        The program.
    splits : str
        Characters at which it splits one value.
    one_of_several : dict of str to int
        Kinds of files of which it shows only one of several values, and which: 0 the first, -1 the
        last. ``any`` stands for all kinds.
    joint : str
        How it joins several values for display; empty where it keeps them apart.
    joint_of : dict of str to str
        The same for kinds of files in which it takes the joined values for one.
    """

    name: str
    splits: str = ""
    one_of_several: Mapping[str, int] = field(default_factory=dict)
    joint: str = ""
    joint_of: Mapping[str, str] = field(default_factory=dict)

    def shows(self, values: Sequence[str], kind: str = "") -> list[str]:
        """The genres that it shows for the values in a tag.

        Parameters
        ----------
        values : sequence of str
            The values in a tag.
        kind : str
            Kind of the file, see :func:`~tonearm.containers.kinds.sniff`; or ``tta``.
        """
        found = list(values)
        place = self.one_of_several.get(kind, self.one_of_several.get("any"))
        if place is not None and found:
            found = [found[place]]
        if kind in self.joint_of and found:
            found = [self.joint_of[kind].join(found)]
        if self.splits:
            pattern = f"[{re.escape(self.splits)}]"
            found = [part.strip() for value in found for part in re.split(pattern, value)]
        # Players show a genre once, however often it stands there.
        found = list(dict.fromkeys(part for part in found if part))
        return [self.joint.join(found)] if self.joint and found else found


# FFmpeg keeps the first value of an MP4 atom, and of WMA descriptors of one name the last.
_BY_FFMPEG = {"mp4": 0, "asf": -1}
# MPD was measured, the others are from documentation and reports of users (docs/tagging.md); each
# as it does by default.
PLAYERS = (
    # TTA too is read by FFmpeg; of a WAV it joins what an ID3 tag holds.
    Player("MPD", one_of_several={**_BY_FFMPEG, "tta": 0}, joint_of={"wav": ";"}),
    Player("Navidrome", splits=";/,"),
    Player("Jellyfin", splits="/|;\\", one_of_several=_BY_FFMPEG),
    Player("Plex", splits=";"),
    Player("foobar2000"),
    Player("Kodi", joint=" / ", one_of_several={"mp4": 0, "dsf": 0}),
    Player("Rekordbox", one_of_several={"any": 0}),
)


@dataclass(frozen=True)
class TagGenres:
    """The genres in one tag of a file."""

    tag: str
    genres: tuple[str, ...]


@dataclass(frozen=True)
class Diagnosis:
    """What a file says of its genre.

    Parameters
    ----------
    genres : tuple of str
        As Tonearm reads them.
    tags : list of TagGenres
        Each tag that holds a genre, in the order in which most players look.
    disagree : bool
        Whether these tags name different genres.
    players : dict of str to list of str
        What each player shows.
    refusal : str or None
        Why Tonearm does not write into the file, if its layout says so.
    """

    genres: tuple[str, ...]
    tags: list[TagGenres]
    disagree: bool
    players: dict[str, list[str]]
    refusal: str | None


def diagnose(path: str | os.PathLike[str]) -> Diagnosis:
    """Read all tags of a file.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    TagError
        When it has no tags that can be read, or is no audio file.
    """
    genres = read_tags(path).genres
    kind = sniff(path)
    # Its tags are those of an MP3, but players give it to another decoder, by its name.
    kind = "tta" if kind == "mp3" and os.fspath(path).lower().endswith(".tta") else kind
    tags: list[TagGenres] = []
    refusal: str | None
    try:
        file = open_raw(path)
    except TagError as error:
        # A file that cannot be written is diagnosed all the same: why not is half of the answer.
        refusal = str(error).removeprefix(f"{path}: ")
    else:
        refusal = file.refusal
        for name, tag in file.tags.items():
            items = [item for item in tag.items or () if tag.codec.role(item) == "genre"]
            # ID3v1 holds a number of a fixed list instead of a name.
            if isinstance(tag.codec, V1Codec):
                names = [genre_by_number(item[0]) for item in items]
                texts = [text for text in names if text]
            else:
                texts = [text for item in items for text in tag.codec.texts(item)]
            # Old taggers padded fields to a fixed width.
            texts = [text.strip("\0 \n\t") for text in texts]
            if any(texts):
                tags.append(TagGenres(name, tuple(text for text in texts if text)))
    if not tags and not genres and kind in {"mp3", "tta"}:
        # Such a file is known by its name alone: a text file may be called song.mp3 too.
        _require_sound(path)
    # Players are taken to read the first tag, as most do.
    first = tags[0].genres if tags else genres
    return Diagnosis(
        genres=genres,
        tags=tags,
        disagree=any(_differs(tag, first) for tag in tags[1:]),
        players={player.name: player.shows(first, kind) for player in PLAYERS},
        refusal=refusal,
    )


def _require_sound(path: str | os.PathLike[str]) -> None:
    try:
        with open_audio(path):
            return
    except DecodeError as error:
        raise TagError(f"{path}: {error.reason}") from None


def _differs(tag: TagGenres, first: Sequence[str]) -> bool:
    """Whether a tag names other genres; ID3v1 has room for one alone."""
    names = {name.casefold() for name in first}
    # Several genres in one value, as ID3v2.3 holds them, are no disagreement.
    joined = {"; ".join(first).casefold()}
    return not {name.casefold() for name in tag.genres} <= names | joined
