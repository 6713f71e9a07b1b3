"""Files with tags of many forms, and a library that has decided on them."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import av
import mutagen
import numpy as np
from mutagen import id3

from tonearm.containers.edits import copy_edited
from tonearm.genres import GTZAN_GENRES
from tonearm.library.file_tags import file_tags
from tonearm.library.store import FileStatus, Library, ModelRecord
from tonearm.model.prediction import Prediction
from tonearm.tagging.fields import GenreFields, edits_for_fields, edits_for_genres, read_fields
from tonearm.tagging.write import compare

SUFFIXES = (
    ".mp3 .flac .ogg .opus .m4a .aiff .wav .wma .wv .tta .dsf".split()  # all that take tags
)
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def with_tags(path: Path, genres: list[str]) -> Path:
    """Title, custom field and picture, and genres as far as there are any."""
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    tags = file.tags
    if isinstance(tags, id3.ID3):
        tags.add(id3.TIT2(encoding=1, text=["Tïtle"]))
        tags.add(id3.TXXX(encoding=3, desc="MOOD", text=["calm", "dark"]))
        tags.add(id3.APIC(encoding=0, mime="image/png", type=3, desc="", data=PICTURE))
        if genres:
            tags.add(id3.TCON(encoding=1, text=genres))
    elif path.suffix == ".m4a":
        tags["\xa9nam"], tags["covr"] = ["Tïtle"], [PICTURE]
        tags["----:com.apple.iTunes:MOOD"] = [b"calm", b"dark"]
        if genres:
            tags["\xa9gen"] = genres
    else:
        tags["Title"], tags["MOOD"] = "Tïtle", ["calm", "dark"]
        if genres:
            tags["WM/Genre" if path.suffix == ".wma" else "GENRE"] = genres
    file.save()
    if path.suffix == ".flac":
        from mutagen.flac import Picture

        picture = Picture()
        picture.data, picture.mime, picture.type = PICTURE, "image/png", 3
        file.add_picture(picture)
        file.save()
    return path


def edit(path: Path, edits) -> None:
    """Apply edits without any of the care that `safe` takes."""
    copy = path.with_name("copy")
    with path.open("rb") as source, copy.open("wb") as target:
        copy_edited(source, target, edits)
    os.replace(copy, path)


def ffmpeg_genre(path: Path) -> str | None:
    """The genre as FFmpeg reads it."""
    with av.open(str(path)) as container:
        found = [container.metadata, *(stream.metadata for stream in container.streams)]
        tags = {key.lower(): value for tags in found for key, value in tags.items()}
    return tags.get("genre")


def library_of(place: Path, decisions: dict[Path, dict[str, float]]) -> Path:
    """A library of files with made-up probabilities; none is an unknown sound."""
    with Library(place, write=True) as library, library.transaction():
        model = library.model_id(ModelRecord("0" * 64, "made up", "made up", GTZAN_GENRES, None))
        for number, (path, given) in enumerate(decisions.items()):
            array = np.array([given.get(genre, 0.0) for genre in GTZAN_GENRES], dtype=np.float32)
            sound = library.put_sound(
                f"made-{number}",
                model=model,
                windows=np.zeros((1, 50), dtype=np.float16),
                duration_s=1.0,
                warning=None,
                prediction=Prediction.of(GTZAN_GENRES, array, known=bool(given)),
            )
            status = FileStatus.of(path.stat())
            library.put_track(os.fsencode(path), status, file_tags(str(path)), sound=sound)
    return place


def write(path, genres, guesses=None):
    """Write genres without the care of `safe`, then compare as it does; fields as before."""
    original = path.with_name(f"original{path.suffix}")
    shutil.copy(path, original)
    before = read_fields(path)
    guesses = genres if guesses is None else guesses
    edit(path, edits_for_genres(path, genres, guesses=guesses))
    compare(original, path)
    return before


def put_back(path, before):
    """As `safe` puts fields back, by way of the journal's text."""
    edit(path, edits_for_fields(path, GenreFields.from_json(before.to_json())))


def id3_frame(name, body, version=4):
    """A frame of an ID3v2 tag."""
    if version == 2:
        return name + struct.pack(">I", len(body))[1:] + body
    size = (
        struct.pack(">I", len(body))
        if version == 3
        else bytes([0, 0, len(body) >> 7, len(body) & 127])
    )
    return name + size + b"\0\0" + body


def id3_tag(version, flags, body):
    """A tag of up to 16 KB."""
    size = bytes([0, 0, len(body) >> 7, len(body) & 127])
    return b"ID3" + bytes([version, 0, flags]) + size + body


def genre_edits(genres):
    """The edits of :func:`tonearm.tagging.write.change` that write these genres."""
    return lambda target: edits_for_genres(target, genres, guesses=genres)
