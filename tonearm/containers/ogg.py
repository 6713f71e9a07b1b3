"""Pages of an Ogg file: which streams follow one another, and where the sound of each lies.

Ogg files may be put end to end (RFC 3533, "chaining"): recorded radio is such a chain. Each link
has its own codec headers, rate and clock. Pages are walked by their headers alone; what lies
between two pages that do not touch is skipped.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from tonearm.containers.edits import read_at
from tonearm.files import Bytes, mapped

# Mark, version, flags, granule, serial, number, checksum, count of segments.
HEADER = struct.Struct("<4sBBqIIIB")
CONTINUED, FIRST, LAST = 1, 2, 4
# So far the next page is looked for: a terabyte of zeros would take minutes.
_MOST_RUBBISH = 1 << 30
MAX_SEGMENTS = 255
# By the first bytes of a stream's first packet.
_CODECS = (
    (b"\1vorbis", "vorbis"),
    (b"OpusHead", "opus"),
    (b"\x7fFLAC", "flac"),
    (b"Speex   ", "speex"),
)


class Page(NamedTuple):
    """One page: what its header says, and where its content lies.

    ``segments`` are the lengths of its pieces; a packet goes on in the next one while they are 255.
    """

    start: int
    flags: int
    granule: int
    serial: int
    number: int
    segments: bytes
    body: int
    length: int

    @property
    def is_first(self) -> bool:
        """Whether a stream begins with it."""
        return bool(self.flags & FIRST)

    @property
    def end(self) -> int:
        """Where the next page begins."""
        return self.body + self.length


@dataclass
class Link:
    """One stream of a chain, from its first page to the first page of the next one.

    Parameters
    ----------
    start, end : int
        Bytes of the file.
    codec : str
        ``vorbis``, ``opus``, ``flac`` or ``speex``; empty for what is none of them.
    identity : bytes
        The codec's first header packet: rate, channels and the like.
    sound : list of (int, int)
        Where the encoded sound lies behind all headers: offsets and lengths of page bodies.
    granule : int
        Position of the last page, in the codec's own units.
    """

    start: int
    end: int
    codec: str
    identity: bytes
    serial: int
    sound: list[tuple[int, int]] = field(default_factory=list)
    granule: int = 0

    @property
    def end_s(self) -> float | None:
        """When its last sample ends by the last page, on its own clock; None if unknown."""
        rate_hz, skipped = 0, 0
        if self.codec == "vorbis":
            rate_hz = int.from_bytes(self.identity[12:16], "little")
        elif self.codec == "opus":  # RFC 7845: always 48 kHz, and a pre-skip
            rate_hz, skipped = 48_000, int.from_bytes(self.identity[10:12], "little")
        elif self.codec == "flac":  # behind 17 bytes STREAMINFO, in it 20 bits at byte 10
            rate_hz = int.from_bytes(self.identity[27:30], "big") >> 4
        elif self.codec == "speex":
            rate_hz = int.from_bytes(self.identity[36:40], "little")
        return max(0, self.granule - skipped) / rate_hz if rate_hz else None


def page_at(file: BinaryIO, start: int) -> Page | None:
    """The page that begins there; None if none does.

    Parameters
    ----------
    file : binary file
        The open file.
    start : int
        Offset of the page.
    """
    head = read_at(file, start, HEADER.size + MAX_SEGMENTS)
    return _page(head, 0, start) if len(head) >= HEADER.size else None


def _page(data: Bytes, at: int, start: int) -> Page | None:
    """The page at byte ``at`` of the data, which is byte ``start`` of the file."""
    head = data[at : at + HEADER.size]
    mark, version, flags, granule, serial, number, _, count = HEADER.unpack(head)
    # The version has always been 0; anything else is sound that looks like a mark.
    if mark != b"OggS" or version:
        return None
    segments = data[at + HEADER.size : at + HEADER.size + count]
    body = start + HEADER.size + count
    return Page(start, flags, granule, serial, number, segments, body, sum(segments))


def pages(file: BinaryIO, begin: int = 0) -> Iterator[Page]:
    """All pages from ``begin`` on, over whatever is damaged.

    Parameters
    ----------
    file : binary file
        The open file.
    begin : int
        Offset of the first page.
    """
    if not file.seek(0, os.SEEK_END):  # what is empty cannot be mapped
        return
    with mapped(file) as data:
        at = begin
        size = len(data)
        while at + HEADER.size <= size:
            page = _page(data, at, at)
            # Rubbish, or a damaged page: on to the next mark.
            if page is None:
                at = data.find(b"OggS", at + 1, min(at + _MOST_RUBBISH, size))
                if at < 0:
                    return
                continue
            if page.body > size:  # cut off inside its header
                return
            at = page.end
            yield page if at <= size else page._replace(length=size - page.body)


def links(file: BinaryIO, begin: int = 0) -> list[Link]:
    """The chain of an Ogg file, with the first stream of sound in each link.

    A link without sound is left out, and so is a file's beginning where its first page is missing.

    Parameters
    ----------
    file : binary file
        The open file.
    begin : int
        Offset of the first page.
    """
    found: list[Link] = []
    in_headers = False
    end = begin
    for page in pages(file, begin):
        end = page.end
        if page.is_first:
            # All of what names codec, rate and channels is in the first packet's beginning.
            packet = read_at(file, page.body, min(page.length, 512))
            codec = next((name for first, name in _CODECS if packet.startswith(first)), "")
            # First pages in a row are streams of one link, side by side (a film and its sound).
            if not in_headers:
                if found:
                    found[-1].end = page.start
                found.append(Link(page.start, page.start, codec, packet, page.serial))
            elif codec and not found[-1].codec:  # a film or pictures came first
                link = found[-1]
                link.codec, link.identity, link.serial = codec, packet, page.serial
            in_headers = True
            continue
        in_headers = False
        if found and page.serial == found[-1].serial:
            _add(found[-1], page)
    if found:
        found[-1].end = end
    return [link for link in found if link.codec]


def repeated_headers(file: BinaryIO, link: Link) -> int | None:
    """Offset of the page on which a link's headers stand once more, in front of its sound.

    Some writers store them twice, which FFmpeg takes for damage. From that page on it reads all.

    Parameters
    ----------
    file : binary file
        The open file.
    link : Link
        One of its links.

    Returns
    -------
    int or None
        None where they stand once, as they should.
    """
    if not link.sound:
        return None
    body, length = link.sound[0]
    if read_at(file, body, min(length, len(link.identity))) != link.identity:
        return None
    nearest = max(0, body - HEADER.size - MAX_SEGMENTS)
    return nearest + read_at(file, nearest, body - nearest).rfind(b"OggS")


def _add(link: Link, page: Page) -> None:
    # Pages of headers stand at position 0; a page on which no packet ends stands at -1.
    if page.granule == 0 and link.granule == 0:
        link.sound.clear()
        return
    link.sound.append((page.body, page.length))
    if page.granule > 0:
        link.granule = page.granule
