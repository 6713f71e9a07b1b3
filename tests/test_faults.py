"""What is wrong with files, collected by every command in the same form."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from tonearm.cli import console
from tonearm.errors import DecodeError, TagError
from tonearm.faults import Fault, Faults


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("is truncated", "is truncated"),
        (DecodeError("a.mp3", "empty", "is empty (0 bytes)"), "is empty (0 bytes)"),
        (TagError("a.mp3: is read-only"), "is read-only"),
        (FileNotFoundError(2, "No such file"), "does not exist"),
        (PermissionError(13, "Permission denied"), "cannot be read: permission denied"),
    ],
    ids=["words", "decoding", "tags", "gone", "permission"],
)
def test_a_reason_never_repeats_the_name(why, words):
    faults = Faults()
    faults.add(Path("a.mp3"), why)
    assert faults == [Fault("a.mp3", words)]


def test_json_names_as_many_as_are_wanted():
    faults = Faults(Fault(f"{i}.mp3", "is empty") for i in range(3))
    assert faults.to_dicts(most=1) == [{"path": "0.mp3", "message": "is empty"}]
    assert len(faults.to_dicts()) == 3


@pytest.mark.parametrize(
    ("failed", "damaged", "interrupted", "code"),
    [
        ([], [], None, None),
        ([("a.mp3", "is empty")], [], None, 1),
        ([], [("a.mp3", "is truncated")], None, 1),
        ([("a.mp3", "is empty")], [], "interrupted", 130),
    ],
    ids=["whole", "failed", "damaged", "interrupted"],
)
def test_a_run_ends_with_the_code_of_its_faults(failed, damaged, interrupted, code):
    def close():
        console.close("could not be read", failed, damaged=damaged, interrupted=interrupted)

    if code is None:
        close()
        return
    with pytest.raises(typer.Exit) as left:
        close()
    assert left.value.exit_code == code


def test_a_file_that_failed_twice_is_named_once(capsys):
    faults = Faults()
    for _ in range(2):
        faults.add("a.mp3", "is empty")
    with pytest.raises(typer.Exit):
        console.close("could not be read", faults)
    assert capsys.readouterr().err == "1 could not be read:\n  a.mp3 is empty\n"
