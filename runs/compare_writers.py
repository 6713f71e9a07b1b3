"""Compare mutagen as the writer of a genre with Tonearm's own edits of bytes.

``python -m runs.compare_writers FOLDER [FOLDER ...]`` takes any files with Vorbis comments, MP4,
ASF or APEv2 tags. It gives a copy of each a genre by Tonearm's edits, and another copy by mutagen,
and checks both copies as ``tonearm tag --write`` does: each other tag item, each picture and the
sound must be the same, and the way back must give every byte. It prints, for each kind of file, how
many each writer wrote, why copies were refused, and how many bytes the journal would keep.

FLAC has blocks that neither comparison looks into (SEEKTABLE, CUESHEET, APPLICATION), so those that
would come out different are counted as well.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen

from tonearm.containers.edits import MARKER, MP4_MARKER
from tonearm.containers.kinds import sniff
from tonearm.errors import TagError
from tonearm.tagging.delta import delta_of
from tonearm.tagging.fields import edits_for_genres, other_items, read_fields
from tonearm.tagging.read import others, read_tags
from tonearm.tagging.replace import write_copy
from tonearm.tagging.write import compare

GENRES = ["Tonearm Test", "Jazz"]
KINDS = ("flac", "ogg", "mp4", "asf", "ape")
_PADDING_BLOCK, _COMMENT_BLOCK = 1, 4


def main() -> None:
    """Write each file twice, and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--verbose", action="store_true", help="name the files they differ on")
    options = parser.parse_args()
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[tuple[str, str, str]] = Counter()
    kept: dict[str, list[int]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        for source in sorted(p for folder in options.folders for p in folder.rglob("*")):
            kind = kind_of(source)
            if kind not in KINDS:
                continue
            sums[kind]["files"] += 1
            outcomes = {}
            for writer, write in WRITERS.items():
                copy = Path(scratch) / f"copy{source.suffix}"
                try:
                    kept[writer].append(written(source, copy, write))
                    outcomes[writer] = "written"
                    sums[kind][writer] += 1
                    if kind == "flac" and other_blocks(source) != other_blocks(copy):
                        sums[kind][f"{writer}, other FLAC blocks differ"] += 1
                except Exception as error:
                    outcomes[writer] = reason = reason_of(error, source, copy)
                    reasons[kind, writer, reason] += 1
                copy.unlink(missing_ok=True)
            if options.verbose and len(set(outcomes.values())) > 1:
                print(f"{source}: {outcomes}", file=sys.stderr)
    for kind, counts in sums.items():
        print(f"{kind:5}", ", ".join(f"{name}: {count}" for name, count in counts.items()))
    for (kind, writer, reason), count in reasons.most_common():
        print(f"{count:5} {kind:5} not written by {writer}: {reason}")
    for writer, sizes in kept.items():
        median, longest = sorted(sizes)[len(sizes) // 2], max(sizes)
        print(f"{writer}: the way back takes {median:,} bytes (median), {longest:,} (longest)")


def kind_of(path: Path) -> str:
    """Kind of a file; empty where it has no tags that Tonearm knows."""
    try:
        return sniff(path) if path.is_file() else ""
    except TagError:
        return ""


def written(source: Path, copy: Path, write: Callable[[Path, Path], None]) -> int:
    """Bytes that the journal keeps; raises what the writer or the comparison raises."""
    read_fields(source)
    write(source, copy)
    try:
        compare(source, copy)
    except TagError as error:
        if "other tags" in str(error) and is_reordered(source, copy):
            raise TagError(
                f"{source}: only the order of its other tags would have changed"
            ) from None
        raise
    found = read_tags(copy).genres
    if found != tuple(GENRES):
        raise TagError(f"{source}: reads as {found}")
    return sum(len(edit.data) for edit in delta_of(source, copy).edits)


def is_reordered(source: Path, copy: Path) -> bool:
    """Whether the other tags are the same but for their order."""
    ordered = [
        {name: sorted(items) for name, items in other_items(path).items()}
        for path in (source, copy)
    ]
    return ordered[0] == ordered[1] and others(source) == others(copy)


def by_edits(source: Path, copy: Path) -> None:
    """As Tonearm writes."""
    write_copy(source, copy, edits_for_genres(source, GENRES, guesses=GENRES))


def by_mutagen(source: Path, copy: Path) -> None:
    """The same fields, set and saved by mutagen."""
    shutil.copyfile(source, copy)
    file: Any = mutagen.File(copy)
    if file is None:
        raise TagError(f"{source}: mutagen does not know it")
    if file.tags is None:
        file.add_tags()
    kind = sniff(source)
    if kind == "mp4":
        file.tags.pop("gnre", None)
        file.tags["\xa9gen"] = GENRES
        file.tags[MP4_MARKER] = ["; ".join(GENRES).encode()]
    else:
        file.tags["WM/Genre" if kind == "asf" else "GENRE" if kind != "ape" else "Genre"] = GENRES
        file.tags[MARKER] = "; ".join(GENRES)
    file.save()


WRITERS = {"edits": by_edits, "mutagen": by_mutagen}


def other_blocks(path: Path) -> list[bytes]:
    """The metadata blocks of a FLAC file but comments and padding, without their last flag."""
    data, found = path.read_bytes(), []
    at = data.index(b"fLaC") + 4
    while True:
        kind, size = data[at] & 0x7F, int.from_bytes(data[at + 1 : at + 4], "big")
        if kind not in {_PADDING_BLOCK, _COMMENT_BLOCK}:
            found.append(bytes([kind]) + data[at + 4 : at + 4 + size])
        if data[at] & 0x80:
            return found
        at += 4 + size


def reason_of(error: Exception, source: Path, copy: Path) -> str:
    """In one line that is the same for all files of one cause."""
    text = str(error).replace(str(source), "it").replace(str(copy), "it")
    text = re.sub(r"[0-9]+|\(.*\)", "…", " ".join(text.split()))
    return text[:90] if isinstance(error, TagError) else f"{type(error).__name__}: {text[:70]}"


if __name__ == "__main__":
    main()
