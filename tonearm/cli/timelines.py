"""Timelines of many files, in a file of its own each: ``predict --format cue -o FOLDER``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer

from tonearm.cli import console
from tonearm.cli.formats import Result, Writer
from tonearm.errors import counted
from tonearm.faults import Faults
from tonearm.files import write_atomically
from tonearm.model.prediction import Prediction
from tonearm.timeline.formats import render

# Endings by which the programs that read these files know them.
_ENDINGS = {"cue": ".cue", "audacity": ".txt", "ffmetadata": ".ffmetadata"}


def folder_writer(
    form: str,
    folder: Path | None,
    files: Sequence[Path],
    root: str,
    unwritten: Faults,
) -> tuple[Writer, list[Path]]:
    """A function that writes the timeline of a file into the folder, and the files that need one.

    The folders below ``root`` come again in it. What is there already stays, since it may be a
    person's own CUE sheet: said before an hour of sound is analysed, and no fault, so that a run
    can be repeated for what is new.

    Parameters
    ----------
    form : str
        ``cue``, ``audacity`` or ``ffmetadata``.
    folder : Path or None
        What ``--output`` was given.
    files : sequence of Path
        All that are going to be analysed: two of one name get different timelines.
    root : str
        The folder above all of them.
    unwritten : Faults
        Gets what could not be written.

    Raises
    ------
    typer.BadParameter
        Where no folder is named, or it is a file.
    """
    # A name such as mix.cue was meant for one file.
    is_file = folder is not None and (folder.exists() or folder.suffix in _ENDINGS.values())
    if folder is None or (is_file and not folder.is_dir()):
        count = counted(len(files), "file")
        reason = (
            f"{form} holds one file's timeline; for {count} name a folder, such as -o timelines"
        )
        raise typer.BadParameter(reason, param_hint="--output")
    places = _places(form, folder, files, root)

    def write(result: Result) -> None:
        if not isinstance(result, Prediction) or not result.timeline:
            return
        path = os.path.abspath(result.path or "")
        place = places[path]
        if place.exists():  # since the run began
            return
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            text = render(form, result.timeline, path=path, folder=str(place.parent.absolute()))
            write_atomically(place, text.encode())
        except OSError as error:
            unwritten.add(path, f"cannot be written to {place}: {error.strerror}")

    free = [file for file in files if not places[os.path.abspath(file)].exists()]
    if len(free) < len(files):
        have = counted(len(files) - len(free), "file has", "files have")
        here = console.printable(folder)
        console.say(f"{have} a timeline in {here} already, which stays: delete it to make it again")
    return write, free


def _places(form: str, folder: Path, files: Sequence[Path], root: str) -> dict[str, Path]:
    """Where each timeline goes: ``song.cue``, or ``song.mp3.cue`` next to one of ``song.ogg``."""
    paths = [os.path.abspath(file) for file in files]
    # Letters of either case are one on many disks.
    stems = Counter(os.path.splitext(path)[0].casefold() for path in paths)
    places = {}
    for path in paths:
        stem = os.path.splitext(path)[0]
        name = os.path.relpath(stem if stems[stem.casefold()] == 1 else path, root or os.sep)
        places[path] = folder / f"{name}{_ENDINGS[form]}"
    return places
