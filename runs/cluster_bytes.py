"""Bytes and requests that an object of a store costs, and whether its answer is that of the file.

    python -m runs.cluster_bytes FILES...

Each file is put into a store in memory and analysed as a worker of the cluster does it: sound key,
tags, embeddings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import fsspec

from tonearm import Classifier
from tonearm.containers.sound_key import sound_key
from tonearm.distributed.objects import ObjectPath
from tonearm.distributed.parts import object_tags
from tonearm.errors import DecodeError
from tonearm.library.file_tags import file_tags


def main() -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    given = parser.parse_args()
    store = fsspec.filesystem("memory")
    classifier = Classifier.load()
    print("share of bytes  requests  bytes      same  file")
    totals = [0, 0, 0]
    for path in given.files:
        name = f"/measured/{path.name}"
        store.pipe_file(name, path.read_bytes())
        there = ObjectPath(f"memory:/{name}")
        try:
            same = sound_key(there) == sound_key(path)
            same &= object_tags(there) == file_tags(str(path))
            own, other = classifier.embed(there), classifier.embed(path)
        except DecodeError as error:
            print(f"{path.name}: {error.reason}")
            continue
        finally:
            store.rm_file(name)
        same &= own.values.tobytes() == other.values.tobytes()
        share = there.bytes_read / there.size
        print(
            f"{share:>13.1%} {there.requests:>10} {there.bytes_read:>9,}  {same!s:>6}  {path.name}"
        )
        for i, value in enumerate((there.bytes_read, there.size, there.requests)):
            totals[i] += value
    print(f"all: {totals[0] / totals[1]:.1%}, {totals[2] / len(given.files):.1f} requests each")


if __name__ == "__main__":
    main()
