"""DSF: a header with places, the sound, and an ID3 tag at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tonearm.containers.edits import (
    RESAVE,
    Content,
    Edit,
    RawFile,
    RawTag,
    damaged,
    read_at,
)
from tonearm.containers.id3 import NEW_ID3, Id3Body, Id3Codec
from tonearm.errors import INCOMPLETE


class DsfFile(RawFile):
    """DSF: an ID3 tag at the end, with a pointer to it in the header.

    Parameters
    ----------
    path : path
        The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            head = read_at(file, 0, 28)
            self._size = os.fstat(file.fileno()).st_size
            stated = int.from_bytes(head[12:20], "little")
            self._start = int.from_bytes(head[20:28], "little")
            # The tag is found by its place alone: a header that counts wrong would have it written
            # into the sound.
            if stated != self._size or self._start > self._size:
                raise damaged(path, "is cut short, or its header states a wrong size", INCOMPLETE)
            self._body, tag = NEW_ID3, RawTag("id3v2.4", Id3Codec(4), None)
            if self._start:
                data = read_at(file, self._start, self._size - self._start)
                if data[:3] != b"ID3" or len(data) < 10:
                    raise damaged(path, "its header points to a tag that is not there", RESAVE)
                self._body = Id3Body.parse(data, path)
                if self._body.length != len(data):
                    raise damaged(path, "has something after its ID3 tag", RESAVE)
                tag = self._body.tag()
        super().__init__(path, [tag])
        self.sound = (28, self._start or self._size)

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """The tag, and header fields for size and place.

        Parameters
        ----------
        contents : Mapping[str, Content]
            New content, by the tag's name.
        """
        (content,) = contents.values()
        start = self._start or self._size
        data = b"" if content.items is None else self._body.replaced(content)
        # Bytes 12 to 28: the file's size, then the place of the tag, 0 for none.
        header = (start + len(data)).to_bytes(8, "little")
        header += (start if data else 0).to_bytes(8, "little")
        return [Edit(12, 16, header), Edit(start, self._size - start, data)]
