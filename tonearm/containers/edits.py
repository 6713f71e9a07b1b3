"""Tags as raw items, and changes of a file as edits: what all containers of this folder use.

A tag is a list of items in their order, each with all its bytes (an ID3 frame with its header, an
MP4 atom, a Vorbis comment), so that a change of one leaves the others as they were, bit by bit.
Offsets and lengths are bytes. Imports nothing of Tonearm but errors.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol

from tonearm.errors import TagError

# The field by which Tonearm knows its own genres; it holds their names, so that a genre which a
# person changes later is that person's although the field stays.
MARKER = "TONEARM"
MP4_MARKER = f"----:com.apple.iTunes:{MARKER}"
# Joins values where a container has but one; no genre's name holds it.
JOINT = "; "
# As other programs join them, when they save tags in a version that holds one value.
_JOINTS = (JOINT, "/", ", ", ";")
# Room a tag gets when it has to grow anyway, so that the next change fits in place.
NEW_PADDING_BYTES = 1_024

Role = Literal["genre", "marker"]


def joined_forms(genres: Sequence[str]) -> set[str]:
    """How several genres may read where a program made one value of them.

    Parameters
    ----------
    genres : sequence of str
        One by one.

    Examples
    --------
    >>> sorted(joined_forms(["Blues", "Rock"]))
    ['Blues, Rock', 'Blues/Rock', 'Blues; Rock', 'Blues;Rock']
    """
    return {joint.join(genres) for joint in _JOINTS}


@dataclass(frozen=True)
class Edit:
    """``length`` bytes at ``offset`` of the old file become ``data``."""

    offset: int
    length: int
    data: bytes


@dataclass(frozen=True)
class Content:
    """New content of a tag: None removes it; without a layout its container chooses one."""

    items: tuple[bytes, ...] | None
    layout: tuple[int, ...] | None = None


class Codec(Protocol):
    """How one kind of tag spells a genre."""

    def role(self, item: bytes) -> Role | None:
        """Whether an item is a genre or Tonearm's marker.

        Parameters
        ----------
        item : bytes
            An item of the tag, with its header.
        """
        ...

    def make(self, genres: Sequence[str], guesses: Sequence[str]) -> tuple[bytes, ...]:
        """Items for genres; the marker names ``guesses``, and there is none without any.

        Parameters
        ----------
        genres : sequence of str
            Names of genres.
        guesses : sequence of str
            The genres that are Tonearm's.
        """
        ...

    def texts(self, item: bytes) -> list[str]:
        """The names in a genre item, whatever its bytes; none where nobody wrote a name.

        Parameters
        ----------
        item : bytes
            An item of the tag, with its header.
        """
        ...


class ItemCodec(Codec, ABC):
    """A codec that makes some items for genres, and one more for the marker."""

    @abstractmethod
    def genre_items(self, genres: Sequence[str]) -> list[bytes]:
        """Items for genres, of which there is one at least.

        Parameters
        ----------
        genres : sequence of str
            Names of genres.
        """

    @abstractmethod
    def marker_item(self, text: str) -> bytes:
        """Tonearm's own item.

        Parameters
        ----------
        text : str
            The genres that are Tonearm's, joined.
        """

    def make(self, genres: Sequence[str], guesses: Sequence[str]) -> tuple[bytes, ...]:
        """Genre items, and the marker behind them."""
        items = self.genre_items(genres) if genres else []
        return tuple([*items, self.marker_item(JOINT.join(guesses))] if guesses else items)


class NamedCodec(ItemCodec):
    """A codec of items that each have a name, whose case does not matter."""

    genre_name: str

    @abstractmethod
    def name_of(self, item: bytes) -> str:
        """An item's name in lower case.

        Parameters
        ----------
        item : bytes
            An item of the tag, with its header.
        """

    @abstractmethod
    def item(self, name: str, text: str) -> bytes:
        """An item of text.

        Parameters
        ----------
        name, text : str
            Name and value.
        """

    def role(self, item: bytes) -> Role | None:
        """By the name."""
        name = self.name_of(item)
        # Names differ in case between programs; to players they are the same.
        if name == self.genre_name.lower():
            return "genre"
        return "marker" if name == MARKER.lower() else None

    def genre_items(self, genres: Sequence[str]) -> list[bytes]:
        """One item for each genre."""
        return [self.item(self.genre_name, genre) for genre in genres]

    def marker_item(self, text: str) -> bytes:
        """An item of Tonearm's name."""
        return self.item(MARKER, text)


@dataclass(frozen=True)
class RawTag:
    """One tag of a file.

    ``items`` is None where the file has no such tag, which would begin with ``seed`` then.
    ``follows`` says that it gets a genre too where it is not the first tag and has none yet.
    ``layout`` holds what its container needs to put it back in the same place (paddings, pages).
    """

    name: str
    codec: Codec
    items: tuple[bytes, ...] | None
    layout: tuple[int, ...] = ()
    seed: tuple[bytes, ...] = ()
    follows: bool = False


class RawFile(ABC):
    """A file's tags, the first of them the one a genre is written to where there is none yet.

    Parameters
    ----------
    path : path
        The file.
    tags : sequence of RawTag
        In the order in which players look at them.
    """

    def __init__(self, path: str | os.PathLike[str], tags: Sequence[RawTag]) -> None:
        self.path = path
        # A dict keeps its order, which is that of players.
        self.tags = {tag.name: tag for tag in tags}
        # Why the file is only read; some players would go on showing the old genre, or the layout
        # does not add up.
        self.refusal: str | None = None
        # From where to where all bytes are sound, if no tag stands among or before them.
        self.sound: tuple[int, int] | None = None

    @abstractmethod
    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """Edits that give the named tags new content, and leave all others.

        Parameters
        ----------
        contents : Mapping[str, Content]
            New content, by the tag's name.
        """


# What the owner of a file can do about its tags.
RESAVE = "Save its tags again with a tag editor"


def damaged(path: str | os.PathLike[str], what: str, todo: str = "") -> TagError:
    """The error for a tag that is skipped, since Tonearm does not wholly understand it.

    Parameters
    ----------
    path : path
        The file.
    what : str
        What is wrong, for people.
    todo : str
        What they can do about it, where they can.
    """
    return TagError(f"{path}: {what}. {todo}" if todo else f"{path}: {what}")


def padding_for(room: int, needed: int, *, least: int = 0) -> int:
    """Padding behind a tag that changed: what is left of its room, or some where it outgrew it.

    Padding that shrinks by what the tag grows leaves the sound in its place.

    Parameters
    ----------
    room : int
        Bytes of the old tag and the padding behind it.
    needed : int
        Bytes of the new tag.
    least : int
        What padding takes at least, where it has a header of its own.
    """
    # Negative where the tag has outgrown its room: then all behind it moves anyway, so it gets new
    # padding.
    left = room - needed
    return left if left >= least or not left else NEW_PADDING_BYTES


def decoded(data: bytes, codec: str = "utf-8") -> str:
    """Text that somebody wrote: in its codec if its bytes fit, else UTF-8, else Latin-1.

    UTF-16 has no likely other codec; what does not fit there becomes U+FFFD.

    Parameters
    ----------
    data : bytes
        The bytes.
    codec : str
        The declared encoding.
    """
    if codec.startswith("utf-16"):
        return data.decode(codec, "replace")
    for name in (codec, "utf-8"):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    # Latin-1 has a character for every byte, so something always comes out.
    return data.decode("latin-1")


def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Up to ``count`` bytes from ``offset``; none where a file states fewer than none.

    Parameters
    ----------
    file : BinaryIO
        The open file.
    offset : int
        Where to begin.
    count : int
        How many bytes.
    """
    file.seek(offset)
    return file.read(max(0, count))


def copy_edited(source: BinaryIO, target: BinaryIO, edits: Sequence[Edit]) -> None:
    """Write ``source`` with its edits to ``target``.

    Parameters
    ----------
    source : BinaryIO
        The original, open.
    target : BinaryIO
        The file.
    edits : sequence of Edit
        The edits.
    """
    target.writelines(edited_pieces(source, edits))


def edited_pieces(source: BinaryIO, edits: Sequence[Edit]) -> Iterator[bytes]:
    """The content of ``source`` with its edits, piece by piece.

    Parameters
    ----------
    source : BinaryIO
        The original, open.
    edits : sequence of Edit
        The edits.
    """
    position = 0
    # Offsets are those of the old file, so one pass from front to back does it.
    for edit in sorted(edits, key=lambda edit: edit.offset):
        assert edit.offset >= position, "edits overlap"
        yield from _pieces(source, position, edit.offset - position)
        yield edit.data
        position = edit.offset + edit.length
    yield from _pieces(source, position, None)


def _pieces(source: BinaryIO, start: int, count: int | None) -> Iterator[bytes]:
    source.seek(start)
    while count is None or count > 0:
        # A megabyte at a time: files of many gigabytes are copied too.
        piece = source.read(1 << 20 if count is None else min(count, 1 << 20))
        if not piece:
            return
        yield piece
        count = None if count is None else count - len(piece)
