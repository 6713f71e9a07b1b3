"""The story of 0.8248: one thing changes from row to row, and what leaks is marked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import music

pytest.importorskip("torch")

from runs import seed
from tonearm.data.index import Track


def segments(*, artists: int = 4, tracks: int = 2, each: int = 5) -> seed.Segments:
    """Two genres; the second track of the first artist of each genre is a copy of the first."""
    of = []
    for genre in ("a", "b"):
        for artist in range(artists):
            for i in range(tracks):
                copy = f"{genre}/{artist}-0" if (artist, i) == (0, 1) else None
                name = f"{genre}/{artist}-{i}"
                of.append(Track(name, genre, f"artist:{genre}{artist}", name, 15.0, copy))
    owners = np.repeat(np.arange(len(of)), each)
    x = np.zeros((len(owners), 130, 13), np.float32)
    return seed.Segments(x, x, owners, tuple(of))


@pytest.mark.parametrize(("units", "divided"), [("segments", True), ("tracks", False)])
def test_what_a_row_keeps_together(units: str, divided: bool) -> None:
    made = segments()
    row = seed.Row("x", "x", units)
    out = seed.held_out(made, row, np.ones(len(made.tracks), dtype=bool))
    assert out.mean() == pytest.approx(0.25, abs=0.05)
    both = set(made.tracks[out]) & set(made.tracks[~out])
    assert bool(both) == divided
    artists = [{made.of[i].group for i in made.tracks[where]} for where in (out, ~out)]
    assert artists[0] & artists[1], "only the honest rows keep artists together"


def test_honest_rows_divide_no_artist_and_use_no_copy() -> None:
    made = segments()
    used = np.array([made.of[i].copy_of is None for i in made.tracks])
    out = seed.held_out(made, seed.Row("x", "x", "groups"), used)
    artists = [{made.of[i].group for i in made.tracks[where]} for where in (out, used & ~out)]
    assert artists[0] and not artists[0] & artists[1]
    assert not (out & ~used).any()


def test_frames_are_cut_or_spread() -> None:
    x = np.arange(130, dtype=np.float32)[None, :, None]
    assert seed.thinned(x, 129)[0, -1, 0] == 128
    few = seed.thinned(x, 39)[0, :, 0]
    assert len(few) == 39 and few[0] == 1 and few[-1] == 128
    assert set(np.diff(few)) == {3, 4}


def test_from_a_folder_to_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = music.folder(tmp_path / "music", ["bass", "treble"], 4, seconds=6)
    monkeypatch.setattr(seed, "ROWS", (seed.ROWS[0], *seed.ROWS[5:7]))
    seed.main(root, None, tmp_path / "out", 2)
    first = capsys.readouterr().out.splitlines()
    assert first[0] == "8 tracks, 2 genres; the artist of 8 is known"
    assert first[1].startswith("0 tracks are copies of others")
    assert first[2] == "up to 3 rows to train, some 1 min each on one core"
    assert first[-1] == seed.NOISE
    rows = [line for line in first if line.startswith(("LEAKS", "honest"))]
    assert [row.split("  ")[0].strip() for row in rows] == ["LEAKS", "LEAKS", "honest"]
    assert "no artist on both sides" in rows[-1] and "n=4" in rows[-1] and "n=2" in rows[-1]
    (path,) = (tmp_path / "out").glob("seed-2-*.json")
    kept = json.loads(path.read_text())
    assert set(kept) == {"original", "tracks", "artists"}
    # What is done is not measured again.
    monkeypatch.setattr(seed, "measure", lambda *_: pytest.fail("measured again"))
    seed.main(root, None, tmp_path / "out", 2)
    again = capsys.readouterr().out.splitlines()
    assert again[2].startswith("up to 0 rows") and again[3:] == first[3:]


def nameless(root: Path) -> Path:
    """Two genres of two tracks each, whose artists nothing tells."""
    for genre in (0, 1):
        for i in range(2):
            path = root / "ab"[genre] / f"{genre}{i}.wav"
            music.write(path, music.clip(genre, i, seconds=6))
    return root


def test_rows_of_other_artists_are_measured_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = nameless(tmp_path / "music")
    monkeypatch.setattr(seed, "ROWS", seed.ROWS[:1])
    seen = []

    def measure(segments: seed.Segments, *_: object) -> dict[str, object]:
        seen.append({track.group for track in segments.of})
        figures = {"accuracy": 1.0, "interval_95_by_group": [1.0, 1.0], "n": 4}
        return {"loss": 0.0, "segments": figures, "tracks": figures}

    monkeypatch.setattr(seed, "measure", measure)
    for _ in range(2):
        seed.main(root, None, tmp_path / "out", 1)
    assert len(seen) == 1
    # As `tonearm prepare --artists` keeps it next to the folder.
    table = tmp_path / "music.prepared" / "artists.tsv"
    table.parent.mkdir()
    table.write_text("".join(f"{g}{i}\tartist {i}\n" for g in (0, 1) for i in (0, 1)))
    for _ in range(2):
        seed.main(root, None, tmp_path / "out", 1)
    assert "the artist of 4 is known" in capsys.readouterr().out
    assert seen[1:] == [{"artist:artist 0", "artist:artist 1"}]


def test_without_artists_there_is_no_honest_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless(tmp_path / "music")
    monkeypatch.setattr(seed, "ROWS", seed.ROWS[-1:])
    seed.main(tmp_path / "music", None, tmp_path / "out", 1)
    out = capsys.readouterr().out
    assert "No artist is known" in out and "honest  " not in out
