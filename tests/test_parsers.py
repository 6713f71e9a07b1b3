"""What the package parses itself, fed with damaged input: the short form of the guided fuzzing."""

from __future__ import annotations

import random
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from runs.mutants import mutant
from runs.parser_targets import TARGETS, seeds
from tonearm.errors import TonearmError


def ape_tag(flags: int) -> bytes:
    """A WavPack block and an APEv2 tag with a genre of that kind."""
    item = struct.pack("<II", 5, flags) + b"Genre\0Polka"
    footer = struct.pack("<8sIIII8x", b"APETAGEX", 2_000, len(item) + 32, 1, 0)
    return b"wvpk" + bytes(28) + item + footer


# Found by fuzzing: target, input.
FOUND = [
    ("mp3", b""),
    ("walkers", b""),
    ("walkers", b"OggS\0\x02" + bytes(20) + b"\xff"),  # cut off inside a page's header
    # Opus whose first packet ends early.
    ("tags", b"OggS\0\x02" + bytes(20) + b"\1\x12OpusHead\1\2" + bytes(8)),
    ("tables", b"#EXTM3U\nfile://[\n"),
    # A LIST of one byte, behind which INFO stands.
    ("tags", b"RIFF\x14\0\0\0WAVELIST\1\0\0\0INFOIGNR"),
    ("tags", ape_tag(2)),  # a genre of bytes
    ("tags", ape_tag(4)),  # a genre that is a link
]


def parse(target: str, data: bytes, folder: Path) -> None:
    path = folder / "input"
    path.write_bytes(data)
    # A thread has no event loop of its own; the tests of the page leave one running in this one.
    with suppress(TonearmError, OSError), ThreadPoolExecutor(1) as thread:
        thread.submit(TARGETS[target], path, data).result()


@pytest.mark.parametrize(("target", "data"), FOUND)
def test_what_was_found_stays_mended(target: str, data: bytes, tmp_path: Path) -> None:
    parse(target, data, tmp_path)


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_input_raises_only_what_is_expected(target: str, tmp_path: Path) -> None:
    corpus, work = tmp_path / "corpus", tmp_path / "work"
    corpus.mkdir()
    work.mkdir()
    seeds(target, corpus)
    whole = [path.read_bytes() for path in sorted(corpus.iterdir())]
    assert whole
    rng = random.Random(5)
    for i in range(150):
        parse(target, mutant(rng, whole[i % len(whole)], rng.choice(whole)), work)
