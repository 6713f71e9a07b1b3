from __future__ import annotations

import av
import mutagen
from support import tagged


def test_mp4_genre_by_number(song):
    path = song(".m4a", ["Rock"])
    data = bytearray(path.read_bytes())
    at = data.index(b"\xa9gen") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    number = b"\0\0\0\x1agnre\0\0\0\x12data\0\0\0\0\0\0\0\0\0\x12"
    assert size == 28
    # Same length, so that no offset moves: the number 18 (Rock), then an atom to ignore.
    data[at : at + size] = number[:3] + b"\x1c" + number[4:11] + b"\x14" + number[12:] + b"\0\0"
    path.write_bytes(data)
    before = tagged.write(path, ["Jazz"])
    assert mutagen.File(path)["\xa9gen"] == ["Jazz"]
    assert b"gnre" not in path.read_bytes()
    tagged.put_back(path, before)
    assert path.read_bytes() == data


def remuxed(source_path, path, movflags):
    with (
        av.open(str(source_path)) as source,
        av.open(str(path), "w", format="ipod", options={"movflags": movflags}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


def test_an_m4a_in_fragments(plain, tmp_path):
    path = remuxed(plain[".m4a"], tmp_path / "fragments.m4a", "+frag_every_frame+empty_moov")
    data = path.read_bytes()

    def indexed(data):
        at = data.index(b"tfra")
        wide = 8 if data[at + 4] else 4
        first = int.from_bytes(data[at + 20 + wide : at + 20 + 2 * wide], "big")
        return data[first + 4 : first + 8]

    assert indexed(data) == b"moof"
    before = tagged.write(path, ["Jazz"])
    assert indexed(path.read_bytes()) == b"moof"
    tagged.put_back(path, before)
    assert path.read_bytes() == data


def test_an_m4a_with_its_index_in_front(plain, tmp_path):
    path = remuxed(plain[".m4a"], tmp_path / "fast.m4a", "+faststart")
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    before = tagged.write(
        path, ["Jazz"]
    )  # compares each packet, so that a wrong offset would be seen
    tagged.put_back(path, before)
    assert path.read_bytes() == data
