"""The encoded packets of a file, for callers that compare sound without decoding it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tonearm.audio.av_input import open_container
from tonearm.audio.reader import plain
from tonearm.errors import DecodeError


def packet_digest(path: Path) -> str:
    """SHA-256 of all sound as it is stored: each packet with its time, of every audio stream.

    Two files with the same digest decode alike, whatever their tags and pictures.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DecodeError
        When FFmpeg cannot read the file.
    """
    import av

    digest = hashlib.sha256()
    try:
        with open_container(path) as container:
            streams = list(container.streams.audio)
            for packet in container.demux(streams) if streams else ():
                # The size marks where a packet ends: the same bytes cut otherwise decode otherwise.
                digest.update(f"{packet.stream_index} {packet.pts} {packet.size} ".encode())
                digest.update(bytes(packet))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DecodeError(path, "not-audio", f"FFmpeg: {plain(error, path)}") from None
    return digest.hexdigest()
