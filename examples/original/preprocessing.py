"""The original's first step: MFCCs of ten segments of each clip, as one JSON file.

    python preprocessing.py [FOLDER] [data.json]

FOLDER has a folder for each genre (``genres`` by default, as GTZAN unpacks).
"""

import sys
from pathlib import Path

from tonearm.data import original_json, prepare


def main(folder: Path, output: Path) -> None:
    """Prepare the folder and write the file."""
    made = prepare.prepare_folder(
        folder, prepare.prepared_path(folder), spec=prepare.front_end(prepare.prepared_path(folder))
    )
    failed = [*made.index.failed, *original_json.write_json(made.index, output)]
    for name, reason in failed:
        print(f"{name}: {reason}", file=sys.stderr)
    print(f"{len(made.index.tracks)} clips of {len(made.index.labels)} genres in {output}")


if __name__ == "__main__":
    arguments = [Path(argument) for argument in sys.argv[1:]]
    main(*(arguments + [Path("genres"), Path("data.json")][len(arguments) :]))
