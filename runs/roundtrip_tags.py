"""Write a genre into copies of files, undo it, and compare every byte.

``python -m runs.roundtrip_tags FOLDER [FOLDER ...]`` takes any files, such as the test files of
mutagen and beets. With ``--mutants N`` it takes N damaged copies of them instead: some bytes of
the first or last 4 KB changed, cut out or doubled. With ``--odd`` it makes odd but legal files of
its own (``tests/support/odd_files.py``): each kind with no genre, one and two, and with other tags
of three sizes.

It prints how many were written and restored, how many were refused (by reason),
and names each file that differs; the exit code is 1 if one does.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.support import odd_files, small_files
from tonearm.containers.edits import Edit
from tonearm.containers.kinds import sniff
from tonearm.errors import TagError
from tonearm.tagging.fields import edits_for_genres
from tonearm.tagging.journal import Journal
from tonearm.tagging.read import read_tags
from tonearm.tagging.write import change, restore

GENRES = ["Tonearm Test", "Jazz"]


def main() -> None:
    """Try every file, and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--odd", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="name refused files too")
    parser.add_argument("--mutants", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    files = sorted(p for folder in options.folders for p in folder.rglob("*") if p.is_file())
    rng = random.Random(options.seed)
    if options.mutants:
        # Mutants of what has no tags would only fill the count.
        usable = [p for p in files if 200 < p.stat().st_size < 1 << 20 and has_tags(p)]
        files = rng.choices(usable, k=options.mutants)
    counts: Counter[str] = Counter()
    largest = 0
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        journal = stack.enter_context(Journal(Path(scratch) / "journal.sqlite", write=True))
        if options.odd:
            files += odd_ones(Path(scratch))
        for number, source in enumerate(files):
            copy = Path(scratch) / f"{number}{source.suffix.lower()}"
            shutil.copyfile(source, copy)
            if options.mutants:
                copy.write_bytes(mutant(copy.read_bytes(), rng))
            outcome = round_trip(copy, journal)
            counts[outcome] += 1
            if outcome == "DIFFERS" or options.verbose:
                print(f"{source}: {outcome}")
            copy.unlink()
        for (delta,) in journal.rows("SELECT delta FROM deltas"):
            largest = max(largest, len(delta))
    for outcome, count in counts.most_common():
        print(f"{count:6,}  {outcome}")
    print(f"{len(files):,} files; the longest delta takes {largest:,} characters")
    sys.exit(1 if counts["DIFFERS"] else 0)


def odd_ones(scratch: Path) -> list[Path]:
    """Files of every odd kind, each in nine forms."""
    folder = scratch / "odd"
    folder.mkdir()
    sound = small_files.music(1, 1.0)
    suffixes = {suffix for suffix, _, _ in odd_files.KINDS.values()}
    plain = {suffix: small_files.write(scratch / f"plain{suffix}", sound) for suffix in suffixes}
    return [
        odd_files.make(plain[suffix], kind, folder / f"{kind} {len(genres)} {bulk}.x", genres, bulk)
        for kind, (suffix, _, _) in odd_files.KINDS.items()
        for genres in ([], ["Polka"], ["Polka", "Rock"])
        for bulk in (0, 501, 70_000)
    ]


def has_tags(path: Path) -> bool:
    """Whether a file is of a kind into which Tonearm writes."""
    try:
        return bool(sniff(path))
    except TagError:
        return False


def mutant(data: bytes, rng: random.Random) -> bytes:
    """Damage where tags are."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        near = rng.randrange(min(len(changed), 4_096))
        at = near if rng.random() < 0.7 else len(changed) - 1 - near
        kind = rng.randrange(4)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at : at + rng.randint(1, 8)] = rng.randbytes(rng.randint(1, 8))
        elif kind == 2:
            del changed[at : at + rng.randint(1, 32)]
        else:
            changed[at:at] = changed[at : at + rng.randint(1, 32)]
    return bytes(changed)


def round_trip(path: Path, journal: Journal) -> str:
    """What became of one file."""
    original = path.read_bytes()

    def edits(target: Path) -> Sequence[Edit]:
        return edits_for_genres(target, GENRES, guesses=GENRES)

    run = journal.start("tag")
    try:
        change(path, edits, genres=GENRES, journal=journal, run=run)
    except TagError as error:
        same = path.read_bytes() == original
        reason = re.sub(r"[0-9]+|\(.*\)", "…", str(error).replace(str(path), "it"))
        return f"refused: {reason[:90]}" if same else "DIFFERS"
    if read_tags(path).genres != tuple(GENRES):
        return "DIFFERS"
    (entry,) = journal.entries(run)
    restore(entry, journal=journal, run=journal.start("undo", undoes=run))
    return "written and restored" if path.read_bytes() == original else "DIFFERS"


if __name__ == "__main__":
    main()
