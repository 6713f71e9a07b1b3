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
from itertools import islice
from typing import BinaryIO

from tonearm.containers import asf, flac, ogg
from tonearm.containers.chunks import AIFF, CAF, DSDIFF, WAV, Form, chunks
from tonearm.containers.edges import sound_bounds
from tonearm.containers.edits import read_at
from tonearm.containers.kinds import container_of
from tonearm.containers.matroska import CLUSTER, elements
from tonearm.containers.mp4_atoms import atoms
from tonearm.containers.mpeg import after_header_frame
from tonearm.files import as_path

_VERSION = b"1"  # a change of anything here makes all keys new
_PROBES = 16
_PROBE_BYTES = 4_096
_PIECE_BYTES = 1 << 20
_KEY_BYTES = 16
# No recording has more; a file of a terabyte, zeros behind its header, would be hashed for minutes.
_MOST_HASHED = 1 << 36
# A block that zlib packs to less than a quarter is silence or nearly.
_PACKED = 0.25
# Of a stream's first packet, what names codec, rate and channels; behind it stands Opus's gain,
# which taggers change.
_OGG_IDENTITY_BYTES = 16


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
        head = read_at(file, begin, 16)
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
        full = (True for probe in probes if len(zlib.compress(probe, 1)) > _PACKED * len(probe))
        # No more are packed than it takes to know: packing is most of the work here.
        if sound.length > _MOST_HASHED or sum(islice(full, _PROBES // 2)) == _PROBES // 2:
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


def _locate(file: BinaryIO, head: bytes, begin: int, end: int) -> _Sound:
    """Find the audio by the container's structure; an unknown one counts as audio throughout."""
    container = container_of(head)
    if container in _CHUNKED:
        form, wanted, describing = _CHUNKED[container]
        return _chunked(file, begin + form.first, end, form, wanted=wanted, describing=describing)
    locate = _LOCATE.get(container or "")
    if locate is not None:
        return locate(file, begin, end)
    while begin < end and head and not head.strip(b"\0"):  # padding that a tagger left behind
        begin += len(head)
        head = read_at(file, begin, 16)
    begin += len(head) - len(head.lstrip(b"\0"))
    begin = after_header_frame(file, begin)
    return _Sound([(begin, end - begin)])


def _ogg(file: BinaryIO, begin: int, _: int) -> _Sound:
    """Bodies of the pages behind the headers, which taggers number and cut again."""
    sound = _Sound([])
    for link in ogg.links(file, begin):
        sound.spans += link.sound
        sound.described.append(link.identity[:_OGG_IDENTITY_BYTES])
    return sound


def _flac(file: BinaryIO, begin: int, end: int) -> _Sound:
    sound, at = _Sound([]), begin + 4
    for block in flac.metadata(file, at):
        if block.kind == flac.STREAMINFO:  # which holds the MD5 of the samples
            length = min(block.length, flac.STREAMINFO_BYTES)
            sound.described.append(read_at(file, block.start + 4, length))
        at = block.end
    sound.spans.append((at, max(0, end - at)))
    return sound


def _chunked(
    file: BinaryIO, at: int, end: int, form: Form, *, wanted: bytes, describing: bytes
) -> _Sound:
    sound = _Sound([])
    for chunk in chunks(file, at, end, form):
        if chunk.name == wanted:
            sound.spans.append((chunk.body, chunk.inside))
        elif chunk.name == describing:
            length = min(chunk.inside, _PROBE_BYTES)
            sound.described.append(read_at(file, chunk.body, length))
    return sound


def _dsf(file: BinaryIO, begin: int, end: int) -> _Sound:
    described = read_at(file, begin + 28, 52)  # the format chunk has one size only
    length = int.from_bytes(read_at(file, begin + 84, 8), "little") - 12  # its own header counts
    at = begin + 92
    return _Sound([(at, max(0, min(length, end - at)))], [described])


def _mp4(file: BinaryIO, begin: int, end: int) -> _Sound:
    found = (atom for atom in atoms(file, begin, end) if atom.name == b"mdat")
    return _Sound([(atom.body, atom.end - atom.body) for atom in found])


def _asf(file: BinaryIO, begin: int, end: int) -> _Sound:
    found = next((each for each in asf.objects(file, begin, end) if each.guid == asf.DATA), None)
    if found is None:
        return _Sound([])
    at = found.start + asf.DATA_HEAD_BYTES
    return _Sound([(at, max(0, found.end - at))])


def _matroska(file: BinaryIO, begin: int, end: int) -> _Sound:
    found = (each for each in elements(file, begin, end) if each.number == CLUSTER)
    return _Sound([(each.body, each.end - each.body) for each in found])


# By container: form of its chunks, the chunk of sound, what describes it.
_CHUNKED = {
    "wav": (WAV, b"data", b"fmt "),
    "aiff": (AIFF, b"SSND", b"COMM"),
    "dsdiff": (DSDIFF, b"DSD ", b"PROP"),
    "caf": (CAF, b"data", b"desc"),
}
_LOCATE = {
    "ogg": _ogg,
    "flac": _flac,
    "dsf": _dsf,
    "mp4": _mp4,
    "quicktime": _mp4,
    "asf": _asf,
    "matroska": _matroska,
}
