"""Watching folders, with the changes that the system would report."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from tonearm.cli import watch as watching


@pytest.fixture
def system(monkeypatch):
    """Stands for watchfiles: gives what a test puts into it, then Ctrl-C."""
    reports = []

    def watch(*folders, **_):
        for report in reports:
            yield report(folders) if callable(report) else report
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "watchfiles", SimpleNamespace(watch=watch))
    return reports


def seen(folders):
    found = []
    with pytest.raises(KeyboardInterrupt):
        watching.watch(folders, found.append)
    return found


def test_new_and_gone_files_are_reported(tmp_path, system):
    new = tmp_path / "a.flac"
    new.touch()
    (tmp_path / ".hidden").mkdir()
    system.append({(1, str(new)), (1, str(tmp_path / "notes.txt"))})
    system.append({(3, str(tmp_path / "album" / "gone.flac"))})
    system.append({(3, str(tmp_path / "gone.flac")), (1, str(tmp_path / ".hidden" / "b.flac"))})
    system.append(set())
    assert seen([tmp_path]) == [[tmp_path, new], [tmp_path]], "at first all of the folder"


def test_a_folder_in_a_hidden_one_is_watched(tmp_path, system):
    folder = tmp_path / ".store" / "music"
    (folder / ".part").mkdir(parents=True)
    new = folder / "a.flac"
    new.touch()
    system.append(set())
    system.append({(1, str(new)), (1, str(folder / ".part" / "b.flac"))})
    assert seen([folder]) == [[folder], [new]]


def test_a_folder_that_goes_is_waited_for(tmp_path, system, monkeypatch, capsys):
    disk = tmp_path / "disk"
    disk.mkdir()
    waits = []

    def sleep(_):
        waits.append(1)
        if len(waits) == 2:
            disk.mkdir()

    monkeypatch.setattr(watching.time, "sleep", sleep)

    def unmount(_folders):
        if not waits:
            disk.rmdir()
        return set()

    system.append(unmount)
    assert seen([disk]) == [[disk]], "files may have come with it"
    assert len(waits) == 2 and "is not there; Tonearm waits for it" in capsys.readouterr().err
