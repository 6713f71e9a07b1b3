"""Features in shards: what a kill leaves, what a changed byte does, and training from them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tonearm.data import shards
from tonearm.data.feature_store import open_store
from tonearm.errors import DatasetError

IDENTITY = {"kind": "test"}


@pytest.fixture
def root(tmp_path):
    shards.begin(tmp_path / "features")
    return tmp_path / "features"


def arrays(count):
    rng = np.random.default_rng(0)
    return {f"{i:032}": rng.normal(size=(5 + i, 4)).astype(np.float16) for i in range(count)}


def test_what_is_put_is_got_again_also_by_others(root, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 200)
    store = open_store(root, IDENTITY, create=True)
    made = arrays(12)
    for sound, array in made.items():
        assert not store.has(sound)
        store.put(sound, array)
    for each in (store, open_store(root, IDENTITY)):
        for sound, array in made.items():
            assert each.has(sound)
            assert each.get(sound).tolist() == array.tolist()
            assert each.get(sound).dtype == np.float16
    sizes = [path.stat().st_size for path in (root / "shards").glob("*.shard")]
    assert len(sizes) > 3
    assert max(sizes) <= 200


def test_a_kill_in_the_middle_costs_one_array(root):
    store = open_store(root, IDENTITY, create=True)
    made = arrays(3)
    first, second, third = made
    store.put(first, made[first])
    index = root / "shards" / "index.jsonl"
    # Bytes without a line, and half a line.
    with (root / "shards" / "000000.shard").open("ab") as file:
        file.write(b"\1\2\3")
    with index.open("ab") as file:
        file.write(b'\n{"sound": "%s", "sha' % second.encode())
    again = open_store(root, IDENTITY)
    assert (again.has(first), again.has(second)) == (True, False)
    again.put(second, made[second])
    again.put(third, made[third])
    last = open_store(root, IDENTITY)
    assert all(last.get(sound).tolist() == array.tolist() for sound, array in made.items())


def test_a_changed_byte_is_found(root):
    store = open_store(root, IDENTITY, create=True)
    for sound, array in arrays(2).items():
        store.put(sound, array)
    path = root / "shards" / "000000.shard"
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    opened = open_store(root, IDENTITY)
    first, second = arrays(2)
    opened.get(second)
    with pytest.raises(DatasetError, match="another checksum"):
        opened.get(first)
    path.write_bytes(data[:10])
    with pytest.raises(DatasetError, match="is damaged"):
        open_store(root, IDENTITY).get(second)
    with pytest.raises(DatasetError, match="no features of sound"):
        opened.get("other")


def test_an_index_names_place_shape_and_checksum(root):
    store = open_store(root, IDENTITY, create=True)
    ((sound, array),) = arrays(1).items()
    store.put(sound, array)
    line = json.loads((root / "shards" / "index.jsonl").read_text())
    assert [line[name] for name in ("sound", "shard", "offset", "shape")] == [
        *(sound, "000000.shard", 0, [5, 4])
    ]
    assert len(line["sha256"]) == 64


def test_a_store_of_files_stays_one(tmp_path):
    open_store(tmp_path / "features", IDENTITY, create=True)
    shards.begin(tmp_path / "features")
    assert not (tmp_path / "features" / "shards").exists()


def test_a_folder_prepared_in_shards_is_the_same_data_set(tmp_path, songs):
    from tonearm.data import index, prepare
    from tonearm.features import GTZAN_SPEC
    from tonearm.workers import Outcome, Pool, run_one

    def outcomes(make_work, names):
        with Pool(1, make_work=make_work) as pool:
            for name in reversed(names):  # as a cluster, which gives them as they come
                yield Outcome(name, run_one(pool, name))

    usual = prepare.prepare_folder(songs, tmp_path / "files", spec=GTZAN_SPEC)
    made = prepare.prepare_folder(songs, tmp_path / "sharded", spec=GTZAN_SPEC, outcomes=outcomes)
    assert made.index == usual.index
    files, sharded = (
        open_store(tmp_path / name / prepare.FEATURES) for name in ("files", "sharded")
    )
    assert sharded.shards is not None
    for track in made.index.tracks:
        assert sharded.get(track.sound).tolist() == files.get(track.sound).tolist()
    # Killed before the index was written: nothing is prepared again.
    (tmp_path / "sharded" / index.FILE_NAME).unlink()
    again = prepare.prepare_folder(
        songs, tmp_path / "sharded", spec=GTZAN_SPEC, outcomes=lambda _make, names: iter(names)
    )
    assert again.index == usual.index
