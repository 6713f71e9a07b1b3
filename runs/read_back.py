"""Read genres that Tonearm wrote by other programs, in every container.

``python -m runs.read_back`` writes one genre, two genres and two joined into one value (``--join``)
into a file of each container, and asks MPD, FFmpeg, exiftool, kid3-cli, mediainfo, eyeD3, metaflac
and vorbiscomment for them, as far as they are installed. It prints a table: what each reads where
two were written. The exit code is 1 if one of them does not read a genre that stands alone, in a
file that it opens at all.

``READERS`` is also what ``stress_tag`` reads thousands of files with.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support import small_files, tagged
from tonearm.tagging.fields import edits_for_genres

GENRES = ["Reggae", "Hip-Hop"]
FORMS = {"one": GENRES[:1], "two": GENRES, "joined": ["; ".join(GENRES)]}
# A program that is asked for many files at once gets so many.
_AT_ONCE = 200
Found = Iterator[tuple[Path, list[str]]]


def main() -> None:
    """Write, read, and print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        files = list(written(Path(scratch)))
        failed = []
        rows: dict[str, dict[str, str]] = {}
        for name, (program, read) in READERS.items():
            if not shutil.which(program):
                print(f"{name} is not installed", file=sys.stderr)
                continue
            found = dict(read(files))
            rows[name] = {path.suffix: shown(found, path) for path in files if path.stem == "two"}
            for path in files:
                # None at all: the program does not open such files.
                if path in found and path.stem != "two":
                    wanted = "; ".join(FORMS[path.stem])
                    if wanted.lower() not in "; ".join(found[path]).lower():
                        failed.append(f"{name}: {path.name}: {found[path]}")
    suffixes = sorted({path.suffix for path in files})
    print("| reader |", " | ".join(suffix[1:] for suffix in suffixes), "|")
    print("|---" * (len(suffixes) + 1) + "|")
    for name, row in rows.items():
        print(f"| {name} |", " | ".join(row[suffix] for suffix in suffixes), "|")
    print("\n".join(failed) or "a genre that stands alone is read by all")
    sys.exit(bool(failed))


def written(folder: Path) -> Iterator[Path]:
    """A file of each container for each of the forms."""
    sound = small_files.music(1, 1.0)
    for suffix in tagged.SUFFIXES:
        plain = small_files.write(folder / f"plain{suffix}", sound)
        for form, genres in FORMS.items():
            path = Path(shutil.copy(plain, folder / f"{form}{suffix}"))
            tagged.edit(path, edits_for_genres(path, genres, guesses=genres))
            yield path
        plain.unlink()


def shown(found: dict[Path, list[str]], path: Path) -> str:
    """What a reader makes of two genres."""
    values = found.get(path)
    if values is None:
        return "–"
    if values == GENRES:
        return "both"
    return {GENRES[0]: "first", GENRES[1]: "last", "": "none"}.get(
        "".join(values), "joined by " + re.sub("|".join(GENRES), "", "".join(values)).strip()
    )


def by_mpd(files: Sequence[Path]) -> Found:
    """A server of its own, without any sound output, that ends when all is read."""
    with tempfile.TemporaryDirectory() as scratch:
        music, place = Path(scratch, "music"), Path(scratch, "socket")
        music.mkdir()
        names = {f"{i}{path.suffix}": path for i, path in enumerate(files)}
        for name, path in names.items():
            shutil.copyfile(path, music / name)
        settings = {"music_directory": music, "db_file": f"{scratch}/db", "bind_to_address": place}
        lines = [f'{key} "{value}"' for key, value in settings.items()]
        lines.append('log_file "/dev/null"\naudio_output {\ntype "null"\nname "none"\n}')
        Path(scratch, "mpd.conf").write_text("\n".join(lines))
        with running(["mpd", "--no-daemon", f"{scratch}/mpd.conf"], until=place):
            found: dict[str, list[str]] = {}
            name = ""
            for line in mpd_database(place):
                key, _, value = line.partition(": ")
                if key == "file":
                    name = value
                    found[name] = []
                elif key == "Genre":
                    found[name].append(value)
    return ((names[name], genres) for name, genres in found.items())


@contextmanager
def running(command: list[str], *, until: Path) -> Iterator[None]:
    """A server, once the file is there by which one knows that it runs."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if until.exists():
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def mpd_database(place: Path) -> list[str]:
    """Every line of MPD's database once it has looked at all files."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(place))
        stream = connection.makefile("rw", encoding="utf-8", errors="replace")
        stream.readline()  # its greeting

        def ask(command: str) -> list[str]:
            stream.write(f"{command}\n")
            stream.flush()
            lines = iter(lambda: stream.readline().rstrip("\n"), "OK")
            return list(lines)

        ask("update")
        while any(line.startswith("updating_db") for line in ask("status")):
            time.sleep(0.1)
        return ask("listallinfo")


def by_ffprobe(files: Sequence[Path]) -> Found:
    """Tags of the file and of its streams: Ogg has them in the latter."""
    entries = ["-show_entries", "format_tags:stream_tags", "-of", "json"]
    for path in files:
        parsed = json.loads(output(["ffprobe", "-v", "error", *entries, str(path)]) or "{}")
        tags = {**parsed.get("format", {}).get("tags", {})}
        for stream in parsed.get("streams", []):
            tags.update(stream.get("tags", {}))
        genre = {key.lower(): value for key, value in tags.items()}.get("genre")
        yield path, [] if genre is None else [genre]


def by_exiftool(files: Sequence[Path]) -> Found:
    """Every value (``-a``), of files of which it shows any tags."""
    for start in range(0, len(files), _AT_ONCE):
        part = [str(path) for path in files[start : start + _AT_ONCE]]
        for entry in json.loads(output(["exiftool", "-j", "-a", "-G4", "-Genre", *part]) or "[]"):
            path = Path(entry.pop("SourceFile"))
            if entry or path.suffix in {".mp3", ".flac", ".m4a", ".wma"}:
                values = [each if isinstance(each, list) else [each] for each in entry.values()]
                yield path, [str(value) for each in values for value in each]


def by_kid3(files: Sequence[Path]) -> Found:
    """Of its second tag, the one that is not ID3v1."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    for path in files:
        command = ["kid3-cli", "-c", "get all 2", str(path)]
        lines = output(command, environment).splitlines()
        values = [line.split(None, 1) for line in lines if line.strip().startswith("Genre")]
        yield path, [part for _, value in values for part in value.split("|")]


def by_mediainfo(files: Sequence[Path]) -> Found:
    """As its ``Genre`` of the whole file."""
    for start in range(0, len(files), _AT_ONCE):
        part = [str(path) for path in files[start : start + _AT_ONCE]]
        parsed = json.loads(output(["mediainfo", "--Output=JSON", *part]) or "[]")
        for entry in parsed if isinstance(parsed, list) else [parsed]:
            track = entry["media"]["track"][0]
            genre = track.get("Genre")
            yield Path(entry["media"]["@ref"]), [] if genre is None else [genre]


def by_eyed3(files: Sequence[Path]) -> Found:
    """MP3 alone."""
    for path in [path for path in files if path.suffix == ".mp3"]:
        lines = output(["eyeD3", "--no-color", str(path)]).splitlines()
        genres = [line.split("genre:")[1] for line in lines if "genre:" in line]
        yield path, [text.split("(id")[0].strip() for text in genres]


def by_metaflac(files: Sequence[Path]) -> Found:
    """FLAC alone."""
    return comments([path for path in files if path.suffix == ".flac"], METAFLAC)


def by_vorbiscomment(files: Sequence[Path]) -> Found:
    """Ogg Vorbis alone."""
    return comments([path for path in files if path.suffix == ".ogg"], ["vorbiscomment", "-l"])


METAFLAC = ["metaflac", "--no-utf8-convert", "--show-tag=GENRE"]


def comments(files: Sequence[Path], command: list[str]) -> Found:
    """Lines ``GENRE=value``."""
    for path in files:
        pairs = [line.partition("=") for line in output([*command, str(path)]).splitlines()]
        yield path, [value for key, _, value in pairs if key.lower() == "genre"]


READERS: dict[str, tuple[str, Callable[[Sequence[Path]], Found]]] = {
    "MPD": ("mpd", by_mpd),
    "FFmpeg": ("ffprobe", by_ffprobe),
    "exiftool": ("exiftool", by_exiftool),
    "kid3": ("kid3-cli", by_kid3),
    "mediainfo": ("mediainfo", by_mediainfo),
    "eyeD3": ("eyeD3", by_eyed3),
    "metaflac": ("metaflac", by_metaflac),
    "vorbiscomment": ("vorbiscomment", by_vorbiscomment),
}


def output(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Standard output of a program."""
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, env=environment
    )
    return done.stdout


if __name__ == "__main__":
    main()
