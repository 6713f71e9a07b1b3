"""Two albums of five files, their library, and commands on it: for tests of tag and undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mutagen
from click.testing import Result
from typer.testing import CliRunner

from support import small_files, tagged
from tonearm.cli.app import app
from tonearm.tagging.read import read_tags


def two_albums(folder_of_both: Path) -> dict[str, Path]:
    """Five files of two albums, and their library: none, a person's, and broken tags."""
    folder = folder_of_both / "müsic"
    folder.mkdir()
    plain = small_files.write(folder_of_both / "plain.flac", small_files.music(1, 0.3)).read_bytes()
    files = {}
    for name, genres in (("a", []), ("b", ["Rock"]), ("c", []), ("d", []), ("e", [])):
        path = folder / f"{name}.flac"
        path.write_bytes(plain)
        files[name] = tagged.with_tags(path, genres)
    for name, album in (("a", "One"), ("b", "One"), ("c", "One"), ("d", "Two"), ("e", "Two")):
        file = mutagen.File(files[name])
        file["album"] = album
        file.save()
    tagged.library_of(
        folder_of_both / "library.sqlite",
        {
            files["a"]: {"jazz": 0.9, "blues": 0.1},
            files["b"]: {"jazz": 0.8, "blues": 0.2},
            files["c"]: {"hiphop": 0.5, "jazz": 0.45},
            files["d"]: {"hiphop": 0.82, "jazz": 0.1},
            files["e"]: {},
        },
    )
    return files


def runner(library_path: Path) -> Callable[..., Result]:
    """A function that runs a command on that library; ``tag`` by file, unless it says by what."""

    def run(*arguments: object) -> Result:
        library = ["--library", str(library_path)]
        if arguments[0] == "tag" and "--by" not in arguments:
            library += ["--by", "file"]  # albums have tests of their own
        result = CliRunner().invoke(app, [*map(str, arguments), *library])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def genres(music: dict[str, Path]) -> dict[str, tuple[str, ...]]:
    """The genres in the tags of each file."""
    return {name: read_tags(path).genres for name, path in music.items()}
