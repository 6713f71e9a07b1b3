"""Compose, record and master the five pieces in ``examples/``.

    pip install mido; apt-get install fluidsynth fluid-soundfont-gm ffmpeg
    python -m runs.compose --out examples [--only midnight_walk]

The same versions of fluidsynth, soundfont and ffmpeg write the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from runs.compose import classical, country, jazz, reggae, rock
from runs.compose.studio import SOUNDFONT_PATH, encode, produce, require, tag
from tonearm.errors import DatasetError

PIECES = (jazz, classical, country, rock, reggae)


def main() -> int:
    """Write the audio files; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path("examples"), help="folder for the audio files"
    )
    parser.add_argument("--soundfont", type=Path, default=SOUNDFONT_PATH)
    parser.add_argument("--only", default="", help="a piece whose file name contains this")
    args = parser.parse_args()
    try:
        require(args.soundfont)
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    for module in PIECES:
        piece = module.piece()
        if args.only not in piece.file_name:
            continue
        audio_path = args.out / piece.file_name
        with tempfile.TemporaryDirectory() as folder:
            mix = produce(piece, args.soundfont, Path(folder))
            encode(mix, piece, audio_path, Path(folder))
        tag(piece, audio_path)
        print(f"{audio_path}  {audio_path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
