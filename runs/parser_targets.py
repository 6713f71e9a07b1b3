"""What is fuzzed: each function gets a path and the bytes that lie there, and parses them.

A target may raise a TonearmError or an OSError, which its callers in the package catch. Used by
`fuzz_parsers`, and in a short form by the tests.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tests.support.fakes import tiny_model
from tests.support.small_files import CONTAINERS, music, retag, write
from tonearm.cli.path_list import paths_in
from tonearm.containers import edges, flac, mpeg, mpeg_count, ogg
from tonearm.containers.edits import copy_edited
from tonearm.containers.kinds import sniff
from tonearm.containers.sound_key import sound_key
from tonearm.data import groups, index, splits
from tonearm.errors import TonearmError
from tonearm.model import file as model_file
from tonearm.serve.uploads import Limits, Uploads
from tonearm.tagging.fields import edits_for_fields, edits_for_genres, read_fields
from tonearm.tagging.plan import read_names
from tonearm.tagging.read import read_tags
from tonearm.timeline.formats import FORMATS, render
from tonearm.timeline.segments import Segment

Target = Callable[[Path, bytes], None]
SONG_S = 0.15
_BOUNDARY = "b"
_FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n'
    b"Content-Type: audio/mpeg\r\n\r\nsound\r\n--b--\r\n"
)
_TABLE = b"name\tartist\nblues/a.mp3\tAnn\njazz/b.mp3\tBob\n"
_SPLIT = b"train\tblues/a.mp3\nvalid\tjazz/b.mp3\n"
_MAP = b'hiphop = "Hip-Hop/Rap"\nrock = ["Rock", "Classic Rock"]\n'
_PLAYLIST = "#EXTM3U\n#EXTINF:12,Ann - Song\nb\u00e9.mp3\nfile:///c%20d.mp3\n"


def mp3(path: Path, _: bytes) -> None:
    """Frames: the first header, what it states, constant rate, the count of frames."""
    mpeg.constant_rate(path)
    mpeg.states_length(path)
    mpeg_count.count_frames(path)
    with path.open("rb") as file:
        edges.sound_bounds(file)
        edges.id3v2_bytes(file)


def walkers(path: Path, _: bytes) -> None:
    """Where the sound lies, in every container."""
    sniff(path)
    sound_key(path)
    with path.open("rb") as file:
        flac.ends_as_stated(file)
        ogg.links(file)


def tags(path: Path, _: bytes) -> None:
    """Tags are read; a genre is written and taken back."""
    read_tags(path)
    before = read_fields(path)
    copy = path.with_suffix(".copy")
    for edits in (
        lambda: edits_for_genres(path, ["Country"], guesses=["Country"]),
        lambda: edits_for_fields(copy, before),
    ):
        made = edits()
        source = path if not copy.exists() else copy
        with source.open("rb") as old, path.with_suffix(".new").open("wb") as new:
            copy_edited(old, new, made)
        os.replace(path.with_suffix(".new"), copy)
    copy.unlink()


def models(path: Path, _: bytes) -> None:
    """Model files."""
    model_file.load(path)


def tables(path: Path, data: bytes) -> None:
    """Splits, indexes, tables of artists, vocabulary maps, lists of files."""
    for read in (splits.load, groups.read_artists, index.load, read_names):
        try:
            read(path)
        except TonearmError:
            continue
    folder = path.with_suffix(".folder")
    folder.mkdir(exist_ok=True)
    (folder / index.FILE_NAME).write_bytes(data)
    with suppress(TonearmError):
        index.load(folder)
    paths_in(data, folder=Path("music"))
    paths_in(data, folder=Path("music"), is_playlist=True)


def timelines(_: Path, data: bytes) -> None:
    """Names in what is written: CUE sheets, chapters, labels."""
    name = os.fsdecode(data.replace(b"\0", b"")) or "x"
    for form in FORMATS:
        render(form, [Segment(0.0, 3.0, name, 0.5)], path=f"/{name}", folder=None)


_UPLOADS = Uploads(Limits())


def uploads(path: Path, data: bytes) -> None:
    """Bodies of requests; the first byte says in pieces of which size they come."""
    size = data[0] + 1 if data else 1
    body = data[1:]
    pieces = [body[i : i + size] for i in range(0, len(body), size)]

    async def receive() -> dict[str, object]:
        more = len(pieces) > 1
        return {
            "type": "http.request",
            "body": pieces.pop(0) if pieces else b"",
            "more_body": more,
        }

    header = (b"content-type", f"multipart/form-data; boundary={_BOUNDARY}".encode())
    scope = {"type": "http", "method": "POST", "headers": [header]}
    _UPLOADS.folder = path.parent
    with suppress(HTTPException):
        asyncio.run(_UPLOADS.receive(Request(scope, receive))).remove()


TARGETS: dict[str, Target] = {
    target.__name__: target for target in (mp3, walkers, tags, models, tables, timelines, uploads)
}


def seeds(name: str, folder: Path) -> None:
    """Whole files to begin with."""
    texts = [_TABLE, _SPLIT, _MAP, _PLAYLIST.encode(), _PLAYLIST.encode("utf-16")]
    if name in ("tables", "timelines", "uploads"):
        for i, data in enumerate([*texts, b"\x10" + _FORM, b'{"name": "blues/a.mp3"}\n']):
            (folder / str(i)).write_bytes(data)
    elif name == "models":
        model_file.save(tiny_model(), folder / "tiny.tonearm")
    else:
        for i, suffix in enumerate(CONTAINERS):
            write(folder / f"plain{suffix}", music(i, SONG_S))
            write(folder / f"tagged{suffix}", music(i, SONG_S))
            retag(folder / f"tagged{suffix}", text="Polka")
