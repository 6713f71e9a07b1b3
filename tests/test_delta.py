"""Every byte that a change replaced comes back, whatever the format."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import odd_files, tagged

from tonearm.containers.edits import Edit
from tonearm.errors import TagError
from tonearm.tagging import delta as deltas
from tonearm.tagging.delta import Delta, delta_of, digest_of
from tonearm.tagging.journal import Journal
from tonearm.tagging.read import read_tags
from tonearm.tagging.write import change, restore


def restored(path, delta):
    tagged.edit(path, Delta.from_json(delta.to_json()).edits)
    return path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=400),
    edits=st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 60), st.binary(max_size=80)), max_size=4
    ),
)
def test_any_change_of_any_bytes_comes_back(tmp_path_factory, data, edits):
    folder = tmp_path_factory.mktemp("delta")
    old, new = folder / "old", folder / "new"
    changed = data
    for at, length, piece in edits:
        changed = changed[:at] + piece + changed[at + length :]
    old.write_bytes(data)
    new.write_bytes(changed or b"x")
    delta = delta_of(old, new)
    assert digest_of(old) == delta.before and digest_of(new) == delta.after
    assert restored(new, delta) == data


@pytest.mark.parametrize("growth", [-5_000, -1, 0, 3, 90_000])
def test_a_delta_is_small_although_all_that_follows_moves(tmp_path, growth):
    sound = random.Random(1).randbytes(1_000_000)
    old, new = tmp_path / "old", tmp_path / "new"
    head = b"size 1234" + bytes(6_000)
    old.write_bytes(head + sound + b"tail")
    new.write_bytes(b"size 9876" + bytes(6_000 + growth) + sound + b"tail and more")
    delta = delta_of(old, new)
    assert sum(len(edit.data) for edit in delta.edits) < 300 + max(0, -growth)
    assert restored(new, delta) == old.read_bytes()


def test_a_delta_that_would_not_restore_is_refused(tmp_path, monkeypatch):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"one")
    new.write_bytes(b"two")
    monkeypatch.setattr(deltas, "_edits", lambda _old, _new: [Edit(0, 3, b"ONE")])
    with pytest.raises(TagError, match="could not be kept"):
        delta_of(old, new)


# What cannot come back, or not be compared; every other kind is written.
REFUSED = {
    "id3v2.3 with a checksum": "has a checksum",
    "ogg with a wrong checksum": "sound cannot be compared",
    "opus with a wrong checksum": "sound cannot be compared",
}


@pytest.mark.parametrize("kind", odd_files.KINDS)
def test_odd_bytes_come_back_or_the_file_is_refused(plain, tmp_path, kind):
    suffix = odd_files.KINDS[kind][0]
    path = odd_files.make(plain[suffix], kind, tmp_path / "odd.x", ["Polka"], 40)
    original = path.read_bytes()
    with Journal(tmp_path / "journal.sqlite", write=True) as journal:
        run = journal.start("tag")
        wanted = tagged.genre_edits(["Jazz"])
        try:
            change(path, wanted, genres=["Jazz"], journal=journal, run=run)
        except TagError as error:
            assert path.read_bytes() == original
            assert re.search(REFUSED.get(kind, "^$"), str(error)), error
            return
        assert read_tags(path).genres == ("Jazz",) and path.read_bytes() != original
        (entry,) = journal.entries(run)
        restore(entry, journal=journal, run=journal.start("undo", undoes=run))
    assert path.read_bytes() == original
