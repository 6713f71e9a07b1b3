"""``tonearm doctor``: the genre of files as each player would show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, library_options
from tonearm.cli.library_options import Form, FormOption
from tonearm.errors import counted
from tonearm.faults import Faults

if TYPE_CHECKING:
    from tonearm.tagging.doctor import Diagnosis


def doctor(
    paths: Annotated[list[Path], typer.Argument(readable=False, help="Files and folders.")],
    every: Annotated[
        bool, typer.Option("--all", help="Also list files on which all players agree.")
    ] = False,
    output_format: FormOption = Form.table,
    verbose: console.Verbose = False,
) -> None:
    """Show how players read the genre tag.

    Lists files whose tags (ID3v2, ID3v1, APEv2, INFO) name different genres, whose genres players
    split in different ways, or to which Tonearm cannot write.
    """
    from tonearm.errors import TagError
    from tonearm.tagging.doctor import diagnose

    failures = Faults()
    found: list[tuple[str, Diagnosis]] = []
    read = 0
    for path in _files(paths, failures):
        try:
            with console.quiet_decoders():
                diagnosis = diagnose(path)
        except TagError as error:
            failures.add(path, error)
            continue
        read += 1
        alone = len(paths) == 1 and path == paths[0]
        if every or alone or _is_notable(diagnosis):
            found.append((str(path), diagnosis))
    if output_format is Form.json:
        files = [{"path": path, **asdict(diagnosis)} for path, diagnosis in found]
        library_options.print_object({"files": files, "errors": failures.to_dicts()})
    else:
        for name, diagnosis in found:
            _show(name, diagnosis)
        hint = " (--all shows every file)" if len(found) < read else ""
        print(f"{counted(read, 'file')}, {len(found):,} shown{hint}")
    console.close("could not be read", failures)


def _files(paths: list[Path], failures: Faults) -> Iterator[Path]:
    from tonearm.audio import AUDIO_SUFFIXES
    from tonearm.files import find

    yield from find(paths, suffixes=AUDIO_SUFFIXES, on_error=failures.add_folder)


def _is_notable(diagnosis: Diagnosis) -> bool:
    # Kodi shows several joined into one text, which is not another genre.
    shown = {tuple(genres) for name, genres in diagnosis.players.items() if name != "Kodi"}
    return diagnosis.disagree or diagnosis.refusal is not None or len(shown) > 1


def _show(path: str, diagnosis: Diagnosis) -> None:
    print(console.printable(path))
    for tag in diagnosis.tags:
        print(f"    {tag.tag:16} {_joined(tag.genres)}")
    if diagnosis.disagree:
        print("    these tags name different genres, and players differ in which one they show")
    readers: dict[str, list[str]] = {}
    for player, genres in diagnosis.players.items():
        readers.setdefault(_joined(genres), []).append(player)
    for shown, players in readers.items():
        print(f"    {', '.join(players)}: {shown}")
    if diagnosis.refusal:
        print(f"    Tonearm cannot write to this file: {console.printable(diagnosis.refusal)}")


def _joined(genres: Iterable[str]) -> str:
    return " · ".join(map(console.printable, genres)) or "none"
