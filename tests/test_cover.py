"""Covers: from the tags of every container, from the folder, and nothing that is no picture."""

from __future__ import annotations

import base64

import mutagen
import pytest
from mutagen import apev2, asf, flac, id3
from support.small_files import music, write

from tonearm.tagging.cover import Cover, cover_of, embedded_cover, folder_cover

FRONT = b"\x89PNG\r\n\x1a\n" + b"front" * 40
BACK = b"\xff\xd8\xff" + b"back" * 40
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def flac_picture(data: bytes, kind: int) -> flac.Picture:
    picture = flac.Picture()
    picture.data, picture.mime, picture.type = data, "text/html", kind
    return picture


def add(path, data, kind):
    """One more picture in the tags of a file; 3 is the front cover, 4 the back."""
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    tags = file.tags
    if isinstance(tags, id3.ID3):
        tags.add(id3.APIC(mime="text/html", type=kind, desc=str(kind), data=data))
    elif isinstance(file, flac.FLAC):
        file.add_picture(flac_picture(data, kind))
    elif path.suffix == ".m4a":
        tags["covr"] = [data]
    elif path.suffix == ".wma":
        name = "image/png\0".encode("utf-16-le") + "côver\0".encode("utf-16-le")
        value = bytes([kind]) + len(data).to_bytes(4, "little") + name + data
        tags["WM/Picture"] = [*tags.get("WM/Picture", []), asf.ASFByteArrayAttribute(value)]
    elif path.suffix == ".wv":
        name = "Cover Art (Front)" if kind == 3 else "Cover Art (Back)"
        tags[name] = apev2.APEValue(b"cover.png\0" + data, apev2.BINARY)
    else:
        text = base64.b64encode(flac_picture(data, kind).write()).decode()
        tags["metadata_block_picture"] = [*tags.get("metadata_block_picture", []), text]
    file.save()


@pytest.mark.parametrize(
    "suffix", [".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aiff", ".wav", ".wma", ".wv", ".dsf"]
)
def test_the_front_cover_of_every_container(tmp_path, suffix):
    path = write(tmp_path / f"song{suffix}", music(0, 0.3))
    assert cover_of(path) is None
    if suffix != ".m4a":  # which says of no picture what it shows
        add(path, BACK, 4)
        assert embedded_cover(path) == Cover(BACK, "image/jpeg")
    add(path, FRONT, 3)
    assert embedded_cover(path) == Cover(FRONT, "image/png")
    (tmp_path / "cover.jpg").write_bytes(BACK)
    assert cover_of(path) == Cover(FRONT, "image/png")


def test_what_is_no_picture_is_no_cover_whatever_it_is_called(tmp_path):
    path = write(tmp_path / "song.mp3", music(0, 0.3))
    add(path, SVG, 3)
    (tmp_path / "cover.png").write_bytes(SVG)
    assert cover_of(path) is None
    (tmp_path / "Folder.JPG").write_bytes(BACK)
    assert cover_of(path) == Cover(BACK, "image/jpeg")
    add(path, BACK + b"own", 4)
    assert cover_of(path) == Cover(BACK + b"own", "image/jpeg"), "the next picture in the file"


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
def test_a_damaged_file_has_the_cover_of_its_folder(tmp_path, suffix):
    path = write(tmp_path / f"song{suffix}", music(0, 0.3))
    add(path, FRONT, 3)
    path.write_bytes(path.read_bytes()[:60])
    assert embedded_cover(path) is None
    assert folder_cover(tmp_path / "none") is None
    (tmp_path / "front.webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
    assert cover_of(path).media_type == "image/webp"
