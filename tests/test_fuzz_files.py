"""Damaged files of every container through predict, scan and the page: a short form of the run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="the dev extra is not installed")
pytest.importorskip("fastapi", reason="the serve extra is not installed")

from support.songs import posix

from runs import fuzz_files
from runs.mutants import mutant, pages, with_checksums, wrong_bit_in_setup


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "mutants"
    fuzz_files.make(folder, 28, 6, seed=7)
    return folder


@posix
@pytest.mark.parametrize("way", ["predict", "scan", "page"])
def test_each_damaged_file_has_its_row_and_stays_as_it_is(way: str, folder: Path) -> None:
    before = fuzz_files.digests(folder)
    assert len(before) == 34
    analyse = getattr(fuzz_files, f"by_{way}")
    seen = analyse(folder, 2, 300.0)
    assert seen.wrong == []
    assert set(seen.outcomes) == set(before)
    assert "ok" in seen.outcomes.values() and "not-audio" in seen.outcomes.values()
    odd = {name: kind for name, kind in seen.outcomes.items() if kind in ("internal", "timeout")}
    assert odd == {}
    assert fuzz_files.digests(folder) == before


def test_a_mutant_is_the_same_for_the_same_seed(folder: Path) -> None:
    data = next(folder.glob("*-plain.flac")).read_bytes()
    made = [mutant(random.Random(3), data, data) for _ in range(2)]
    assert made[0] == made[1] != data


def test_checksums_of_ogg_are_those_of_the_encoder(folder: Path) -> None:
    """Repairing a whole file changes nothing; one bit changes one page, whose checksum is right."""
    whole = fuzz_files.write(folder.parent / "a.ogg", fuzz_files.music(1, 1.0)).read_bytes()
    assert with_checksums(whole) == whole
    damaged = wrong_bit_in_setup(random.Random(1), whole)
    assert with_checksums(damaged) == damaged != whole
    different = [at for at in pages(whole) if damaged[slice(*at)] != whole[slice(*at)]]
    assert len(different) == 1
