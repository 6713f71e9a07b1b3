"""The original's first step: MFCCs of ten segments of each clip, as one JSON file.

    python preprocessing.py [FOLDER] [data.json] [--artists TABLE]

FOLDER has a folder for each genre (``genres`` by default, as GTZAN unpacks). Artists come from the
table (lines ``clip<TAB>artist``) or one that ``tonearm prepare FOLDER`` was given before, else from
tags and file names.
"""

import argparse
import sys
from pathlib import Path

from tonearm.data import groups, original_json, prepare
from tonearm.tagging.read import read_artist


def main(folder: Path, output: Path, artists: Path | None) -> None:
    """Prepare the folder and write the file."""
    prepared = prepare.prepared_path(folder)
    made = prepare.prepare_folder(
        folder,
        prepared,
        spec=prepare.front_end(prepared),
        artists=groups.read_artists(artists) if artists else None,
        artist_of=read_artist,
    )
    failed = [*made.index.failed, *original_json.write_json(made.index, output)]
    for name, reason in failed:
        print(f"{name}: {reason}", file=sys.stderr)
    tracks = made.index.tracks
    unknown = groups.without_artist(track.group for track in tracks).total()
    print(
        f"{len(tracks)} clips of {len(made.index.labels)} genres in {output}; "
        f"the artist of {len(tracks) - unknown} is known"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("genres"))
    parser.add_argument("data", nargs="?", type=Path, default=Path("data.json"))
    parser.add_argument("--artists", type=Path, help="table clip<TAB>artist")
    options = parser.parse_args()
    main(options.folder, options.data, options.artists)
