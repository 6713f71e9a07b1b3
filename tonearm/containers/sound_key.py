"""The sound key: the name of a recording, made from its encoded audio alone.

A file that is renamed, moved or tagged keeps its key; so does a copy. Where the audio lies is read
from the container's own structure, and only there: behind ID3v2 and before APEv2, Lyrics3 and ID3v1
in elementary streams (MP3, AAC, WavPack, Musepack, APE, TTA); behind FLAC's metadata blocks; the
``data`` and ``SSND`` chunks of WAV and AIFF; the ``mdat`` boxes of MP4, wherever ``moov`` went; the
data object of Windows Media; the clusters of Matroska; for Ogg, whose pages are cut and numbered
again when tags grow, the packets.

Of the audio, its exact length and :data:`_PROBES` blocks of 4 KB spread over it evenly are hashed,
the first and the last bytes among them, 64 KB in all. Two recordings share a key only if their
encoded audio has the same number of bytes and the same bytes in all those places. For compressed
audio, where one changed bit of the music changes what follows it, chance does not do that (it is
a hash of some 500,000 well-mixed bits); copies of one encoded stream do. Uncompressed audio can be
equal in most places without being the same (stems with long silence), so where fewer than half of
the blocks hold something (zlib packs the others to under a quarter), all of the audio is hashed.
FLAC adds the MD5 of its samples. What can still be mistaken for a copy: an edit of an uncompressed
or constant-rate file that is as long to the byte and differs for seconds between the probes.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from tonearm.containers import ogg
from tonearm.containers.mpeg import after_header_frame, sound_bounds
from tonearm.files import as_path

_VERSION = b"1"  # a change of anything here makes all keys new
_PROBES = 16
_PROBE_BYTES = 4_096
_PIECE_BYTES = 1 << 20
_KEY_BYTES = 16
# A block that zlib packs to less than a quarter is silence or nearly.
_PACKED = 0.25
# Of a stream's first packet, what names codec, rate and channels; behind it stands Opus's gain,
# which taggers change.
_OGG_IDENTITY_BYTES = 16
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_MP4_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_ALL_ONES = 0xFFFFFFFF
_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675


@dataclass
class _Sound:
    """Where the audio of a file lies: spans (offset, bytes), and words that describe it."""

    spans: list[tuple[int, int]]
    described: list[bytes] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Bytes of audio."""
        return sum(length for _, length in self.spans)


def sound_key(path: str | os.PathLike[str]) -> str:
    """Key of a recording: 32 hexadecimal digits.

    Parameters
    ----------
    path : path
        A regular file that holds something.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    with as_path(path).open("rb", buffering=0) as file:
        begin, end = sound_bounds(file)
        file.seek(begin)
        head = file.read(16)
        sound = _locate(file, head, begin, end)
        if not sound.length:  # a damaged container: all of it then
            sound = _Sound([(begin, end - begin)])
        return _hash(sound.described, sound.length, _blocks(file, sound))


def _hash(described: list[bytes], length: int, blocks: Iterator[bytes]) -> str:
    digest = hashlib.blake2b(_VERSION, digest_size=_KEY_BYTES)
    for part in (*described, str(length).encode()):
        # Lengths first, so that parts cut elsewhere give another key.
        digest.update(len(part).to_bytes(8, "big") + part)
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _blocks(file: BinaryIO, sound: _Sound) -> Iterator[bytes]:
    """The probes, or all of the audio if it is short or the probes hold next to nothing."""
    last = sound.length - _PROBE_BYTES
    if last > _PROBES * _PROBE_BYTES:
        places = [last * i // (_PROBES - 1) for i in range(_PROBES)]  # both ends among them
        probes = [b"".join(_read(file, sound, place, _PROBE_BYTES)) for place in places]
        full = sum(len(zlib.compress(probe, 1)) > _PACKED * len(probe) for probe in probes)
        if full >= _PROBES // 2:
            yield from probes
            return
    yield from _read(file, sound, 0, sound.length)


def _read(file: BinaryIO, sound: _Sound, start: int, count: int) -> Iterator[bytes]:
    """Bytes ``start`` to ``start + count`` of the audio, over the borders of spans."""
    for offset, length in sound.spans:
        while start < length and count > 0:
            file.seek(offset + start)
            piece = file.read(min(length - start, count, _PIECE_BYTES))
            if not piece:  # the file is shorter than it says
                return
            yield piece
            start += len(piece)
            count -= len(piece)
        start = max(0, start - length)


def _locate(file: BinaryIO, head: bytes, begin: int, end: int) -> _Sound:  # noqa: PLR0911
    """Find the audio by the container's structure; an unknown one counts as audio throughout."""
    if head[:4] == b"OggS":
        return _ogg(file, begin)
    if head[:4] == b"fLaC":
        return _flac(file, begin + 4, end)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _chunked(file, begin + 12, end, "little", 4, wanted=b"data", describing=b"fmt ")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _chunked(file, begin + 12, end, "big", 4, wanted=b"SSND", describing=b"COMM")
    if head[:4] == b"FRM8":
        return _chunked(file, begin + 16, end, "big", 8, wanted=b"DSD ", describing=b"PROP")
    if head[:4] == b"caff":
        return _chunked(file, begin + 8, end, "big", 8, wanted=b"data", describing=b"desc", even=1)
    if head[:4] == b"DSD ":
        return _dsf(file, begin, end)
    if head[4:8] in _MP4_BOXES:
        return _mp4(file, begin, end)
    if head == _ASF_HEADER:
        return _asf(file, begin, end)
    if head[:4] == _EBML.to_bytes(4, "big"):
        return _matroska(file, begin, end)
    while begin < end and head and not head.strip(b"\0"):  # padding that a tagger left behind
        begin += len(head)
        head = _at(file, begin, 16)
    begin += len(head) - len(head.lstrip(b"\0"))
    begin = after_header_frame(file, begin)
    return _Sound([(begin, end - begin)])


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _ogg(file: BinaryIO, begin: int) -> _Sound:
    """Bodies of the pages behind the headers, which taggers number and cut again."""
    sound = _Sound([])
    for link in ogg.links(file, begin):
        sound.spans += link.sound
        sound.described.append(link.identity[:_OGG_IDENTITY_BYTES])
    return sound


def _flac(file: BinaryIO, at: int, end: int) -> _Sound:
    described = []
    while len(header := _at(file, at, 4)) == 4:
        length = int.from_bytes(header[1:], "big")
        if header[0] & 0x7F == 0:  # STREAMINFO, which holds the MD5 of the samples
            described.append(_at(file, at + 4, min(length, 34)))
        at += 4 + length
        if header[0] & 0x80:
            break
    return _Sound([(at, max(0, end - at))], described)


def _chunked(
    file: BinaryIO,
    at: int,
    end: int,
    order: Literal["little", "big"],
    size_bytes: int,
    *,
    wanted: bytes,
    describing: bytes,
    even: int = 2,
) -> _Sound:
    """RIFF, IFF and their kin: a name of four bytes, a size, the content, a byte to be even."""
    sound = _Sound([])
    wide = (
        0  # length of the sound in the ds64 chunk of RF64 and BW64, whose own fields are too short
    )
    while at + 4 + size_bytes <= end:
        header = _at(file, at, 4 + size_bytes)
        length = int.from_bytes(header[4:], order)
        at += len(header)
        if header[:4] == b"ds64":
            wide = int.from_bytes(_at(file, at + 8, 8), "little")
        elif header[:4] == wanted and wide and length == _ALL_ONES:
            length = wide
        # A size of all ones, or of nothing, is that of a recorder which was cut off, or RF64.
        left = end - at
        inside = length if 0 < length <= left else left
        if header[:4] == wanted:
            sound.spans.append((at, inside))
        elif header[:4] == describing:
            sound.described.append(_at(file, at, min(inside, _PROBE_BYTES)))
        at += -(-(length if length <= left else left) // even) * even  # rounded up to be even
    return sound


def _dsf(file: BinaryIO, begin: int, end: int) -> _Sound:
    described = _at(file, begin + 28, 52)  # the format chunk has one size only
    length = int.from_bytes(_at(file, begin + 84, 8), "little") - 12  # its own header counts
    at = begin + 92
    return _Sound([(at, max(0, min(length, end - at)))], [described])


def _mp4(file: BinaryIO, at: int, end: int) -> _Sound:
    sound = _Sound([])
    while at + 8 <= end:
        header = _at(file, at, 16)
        length, inside = int.from_bytes(header[:4], "big"), 8
        if length == 1:  # the size stands behind the name, in eight bytes
            length, inside = int.from_bytes(header[8:16], "big"), 16
        if not inside <= length <= end - at:
            length = end - at
        if header[4:8] == b"mdat":
            sound.spans.append((at + inside, length - inside))
        at += length
    return sound


def _asf(file: BinaryIO, at: int, end: int) -> _Sound:
    while at + 24 <= end:
        header = _at(file, at, 24)
        length = int.from_bytes(header[16:], "little")
        if not 24 <= length <= end - at:
            length = end - at
        if header[:16] == _ASF_DATA:
            # Behind the file's own number, the count of packets and two reserved bytes.
            return _Sound([(at + 50, max(0, length - 50))])
        at += length
    return _Sound([])


def _matroska(file: BinaryIO, at: int, end: int) -> _Sound:
    sound = _Sound([])
    while at + 5 <= end:
        header = _at(file, at, 12)
        # EBML: leading zero bits of the first byte say how many bytes follow it.
        number_bytes = 9 - header[0].bit_length()
        if number_bytes > 4:
            break
        number = int.from_bytes(header[:number_bytes], "big")
        size_bytes = 9 - header[number_bytes].bit_length()
        field_ = header[number_bytes : number_bytes + size_bytes]
        mask = (1 << 7 * size_bytes) - 1
        length = int.from_bytes(field_, "big") & mask
        at += number_bytes + size_bytes
        if length == mask or length > end - at:  # all ones: unknown, as in streams
            length = end - at
        if number == _SEGMENT:
            continue  # what stands in it follows
        if number == _CLUSTER:
            sound.spans.append((at, length))
        at += length
    return sound
