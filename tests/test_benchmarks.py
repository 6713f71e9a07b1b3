from __future__ import annotations

import sys
from pathlib import Path

import pytest
import soundfile

from benchmarks import material, measure, table
from benchmarks.material import Material, Packets
from benchmarks.measure import Ratio
from benchmarks.table import Section
from tonearm.containers.sound_key import sound_key

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_a_ratio_is_the_median_of_pairs_not_of_sides() -> None:
    found = measure.ratio([(1, 2), (10, 30), (2, 20)])
    assert found == Ratio(median=3, low=2, high=10, runs=3)


def test_starting_falls_out_of_a_difference() -> None:
    assert measure.steady(3 + 20 * 0.5, 3 + 60 * 0.5, more=40) == pytest.approx(0.5)
    with pytest.raises(RuntimeError, match="no longer"):
        measure.steady(3.0, 2.9, more=40)


def test_sides_take_turns() -> None:
    turns: list[str] = []

    def side(name: str) -> str:
        turns.append(name)
        return name

    pairs = measure.in_turn(lambda: side("ours"), lambda: side("other"), runs=2)
    assert turns == ["ours", "other"] * 2
    assert pairs == [("ours", "other")] * 2


def test_a_run_is_the_commands_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    program = "import os, time; time.sleep(.3); print(sorted(os.environ)); b = bytearray(2**26)"
    cost = measure.run([sys.executable, "-c", program], one_core=True, tree=True)
    assert 0.3 < cost.wall_s < 30
    assert 64 < cost.peak_mib < 64 + 40  # none of this process's own memory
    assert "PYTHONDONTWRITEBYTECODE" not in cost.printed
    assert "OMP_NUM_THREADS" in cost.printed


def test_a_failed_run_is_no_cost() -> None:
    with pytest.raises(RuntimeError, match="no such peer"):
        measure.run([sys.executable, "-c", "import sys; sys.exit('no such peer')"])


def test_a_section_is_markdown() -> None:
    section = Section("Title", "How.")
    section.add("a file", "that one", [(0.5, 6), (0.5, 5), (0.5, 7)], "s")
    with section.attempt("a file", "a|b"):
        raise RuntimeError("it is\nbroken")
    assert table.markdown(section).splitlines() == [
        "### Title",
        "",
        "How.",
        "",
        "| what | compared with | Tonearm | the other | ratio | runs |",
        "|---|---|---|---|---|---|",
        "| a file | that one | 500 ms | 6.00 s | **12** (10–14) | 3 |",
        "| a file | a/b |  | failed: it is broken |  |  |",
    ]


def test_the_closest_is_the_fastest_of_the_others() -> None:
    section = Section("", "")
    section.say("none", "")
    assert table.closest(section.rows) is None
    for name, other in (("slow", 9), ("fast", 4)):
        section.add("a file", name, [(1, other)], "s")
    assert (nearest := table.closest(section.rows)) and nearest.other_name == "fast"


@pytest.mark.parametrize(("count", "rooms"), [(1, [5]), (10, [7, 5]), (9, [3, 4, 5])])
def test_no_two_places_are_alike(count: int, rooms: list[int]) -> None:
    found = material.places(count, rooms)
    assert len(set(found)) == count
    assert all(0 <= start < rooms[track] for track, start in found)


def test_there_is_an_end_to_places() -> None:
    with pytest.raises(ValueError, match="11 different pieces"):
        material.places(11, [5, 6])


def test_files_of_packets_are_whole_and_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "TRACK_S", 12.0)
    made = material.make(EXAMPLES, tmp_path, 2)
    assert [soundfile.info(track.path).duration for track in made.tracks] == pytest.approx(
        [12, 12], abs=0.1
    )
    short = sorted(made.short(20).iterdir())
    assert len({sound_key(path) for path in [*short, *(t.path for t in made.tracks)]}) == 22
    assert soundfile.info(short[-1]).duration == pytest.approx(5, abs=0.1)
    assert soundfile.info(made.mix(0.01)).duration == pytest.approx(36, abs=0.1)
    assert Material((Packets(made.tracks[0].path),), tmp_path).tracks[0].data
