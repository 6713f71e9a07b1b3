import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import music
from support.waiting import wait_until

from tonearm import audio
from tonearm.data import copies, index, prepare
from tonearm.data.index import Index, Track
from tonearm.errors import DatasetError
from tonearm.features import GTZAN_SPEC


@pytest.mark.parametrize(
    ("folder", "genre"),
    [
        ("hip-hop", "hiphop"),
        ("Hip Hop", "hiphop"),
        ("hophop", "hiphop"),
        ("reggas", "reggae"),
        ("Raggae", "reggae"),
        ("clasical", "classical"),
        ("jazzz", "jazz"),
        ("DISCO", "disco"),
        # genres of their own that only look alike
        ("k-pop", "k-pop"),
        ("post-rock", "post-rock"),
        ("metalcore", "metalcore"),
        ("Electronic", "electronic"),
        ("punk", "punk"),
    ],
)
def test_genre_of_folder(folder, genre):
    assert index.genre_of(folder) == genre


def test_index_survives_its_file_and_odd_names(tmp_path):
    odd = os.fsdecode(b"rock/\xff\n.mp3")
    made = Index(
        (Track(odd, "rock", "a", "00", 3.0), Track("b", "jazz", "b", "01", 4.0, odd)),
        (("bad.mp3", "is empty"),),
        "/music",
    )
    made.save(tmp_path / index.FILE_NAME)
    assert index.load(tmp_path) == made


def test_index_with_a_line_lost_is_refused(tmp_path):
    path = tmp_path / index.FILE_NAME
    Index((Track("a", "rock", "a", "00", 3.0),) * 2).save(path)
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(DatasetError, match="1 of 2 tracks"):
        index.load(tmp_path)


def test_folder_without_index_says_what_to_do(tmp_path):
    with pytest.raises(DatasetError, match="tonearm prepare"):
        index.load(tmp_path)


def _wrong(codes, share, seed):
    """The codes with that share of their bits turned, but for a few codes."""
    rng = np.random.default_rng(seed)
    bits = rng.random((len(codes), 32)) < share
    bits[::41] = False  # in step with no comparison that skips frames
    return codes ^ np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)


@pytest.mark.parametrize(
    ("share", "copy"), [(0.2, True), (0.28, True), (0.37, False), (0.45, False)]
)
def test_a_third_of_the_bits_parts_a_copy_from_another_take(share, copy):
    codes = np.random.default_rng(0).integers(1, 2**32, 400, dtype=np.uint32)
    found = copies.find({"a": codes, "b": _wrong(codes, share, 1)})
    assert found == ([("a", "b")] if copy else [])


def test_all_copies_of_a_recording_are_found():
    codes = np.random.default_rng(0).integers(1, 2**32, 400, dtype=np.uint32)
    found = copies.find({name: codes[i * 10 :] for i, name in enumerate("abcdef")})
    assert len(found) == 15


def test_a_held_note_that_many_begin_with_makes_no_copies():
    """Nor does it cost the time of looking at each pair of them."""
    note = np.full(100, 77, dtype=np.uint32)
    assert copies.find({f"{i}": note for i in range(80)}) == []


@pytest.fixture(scope="module")
def whole():
    return music.clip(1, 5, seconds=15)


def _cut(samples):
    return samples[: len(samples) // 2]


@pytest.mark.parametrize(
    ("suffix", "change"),
    [
        (".mp3", lambda x: x),
        (".ogg", lambda x: x),
        (".flac", _cut),
        (".mp3", _cut),
        (".wav", lambda x: 0.2 * x),
        (".wav", lambda x: x[3 * music.RATE_HZ + 777 :]),
    ],
    ids=["mp3", "ogg", "prefix", "mp3-prefix", "quieter", "later part"],
)
def test_copy_is_found(tmp_path, whole, suffix, change):
    path = music.write(tmp_path / f"x{suffix}", change(whole))
    embeddings = audio.decode(path)
    codes = {
        "original": copies.fingerprint(whole, music.RATE_HZ),
        "copy": copies.fingerprint(embeddings.samples, embeddings.sample_rate_hz),
        "other": copies.fingerprint(music.clip(1, 6, seconds=15), music.RATE_HZ),
    }
    assert copies.find(codes) == [("original", "copy")]


def test_different_recordings_do_not_match():
    codes = {
        f"{genre}{i}": copies.fingerprint(music.clip(genre, i, seconds=8), music.RATE_HZ)
        for genre in range(3)
        for i in range(6)
    }
    assert copies.find(codes) == []


def test_silence_matches_nothing():
    still = copies.fingerprint(np.zeros(5 * music.RATE_HZ, dtype=np.float32), music.RATE_HZ)
    assert copies.find({"a": still, "b": still}) == []


@pytest.fixture
def forty(tmp_path):
    """40 files, of which one is a text, one is empty and one is cut off before its music."""
    root = music.folder(tmp_path / "music", ["hip-hop", "jazz"], 18, seconds=3)
    (root / "jazz" / "jazz.00054.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    (root / "jazz" / "text.mp3").write_text("no music")
    (root / "hip-hop" / "empty.flac").touch()
    same, rate_hz = soundfile.read(root / "jazz" / "Artist jazz3 - 03.wav", dtype="int16")
    soundfile.write(root / "jazz" / "again.flac", same, rate_hz)
    return root


def test_prepare_names_bad_files_and_keeps_the_others(forty, tmp_path):
    made = prepare.prepare_folder(forty, tmp_path / "out", spec=GTZAN_SPEC, jobs=2)
    assert index.describe(made.index) == {
        "tracks": 37,
        "genres": {"hiphop": 18, "jazz": 19},
        "groups": 36,
        "copies": 1,
        "failed": 3,
    }
    reasons = dict(made.index.failed)
    assert "jazz/jazz.00054.wav" in reasons
    assert "empty" in reasons["hip-hop/empty.flac"]
    assert "text" not in made.index.labels
    assert made.listing.renamed == {"hip-hop": "hiphop"}
    assert index.load(tmp_path / "out") == made.index


def test_second_run_decodes_only_what_changed(forty, tmp_path, monkeypatch):
    out = tmp_path / "out"
    before = prepare.prepare_folder(forty, out, spec=GTZAN_SPEC, jobs=2)
    music.write(forty / "jazz" / "Artist jazz1 - 01.wav", music.clip(1, 99, seconds=3))
    decoded = []
    truly = prepare.in_order

    def in_order(pool, names):
        decoded.extend(names)
        return truly(pool, names)

    monkeypatch.setattr(prepare, "in_order", in_order)
    after = prepare.prepare_folder(forty, out, spec=GTZAN_SPEC)
    good = [name for name in decoded if "Artist" in name]
    assert good == ["jazz/Artist jazz1 - 01.wav"]
    assert len(after.index.tracks) == len(before.index.tracks)


def test_killed_prepare_goes_on_and_ends_the_same(tmp_path):
    root = music.folder(tmp_path / "music", ["rock", "jazz"], 15, seconds=3)
    code = (
        "import sys; from tonearm.data.prepare import prepare_folder; "
        "from tonearm.features import GTZAN_SPEC; "
        "prepare_folder(sys.argv[1], sys.argv[2], spec=GTZAN_SPEC)"
    )
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", code, root, out])
    journal = out / prepare.JOURNAL
    begun = lambda: journal.exists() and journal.stat().st_size > 800  # noqa: E731
    wait_until(lambda: process.poll() is not None or begun())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / index.FILE_NAME).exists()
    with journal.open("ab") as file:
        file.write(b'{"name": "rock/torn')
    again = prepare.prepare_folder(root, out, spec=GTZAN_SPEC)
    fresh = prepare.prepare_folder(root, tmp_path / "fresh", spec=GTZAN_SPEC)
    assert again.index == fresh.index
    arrays = sorted(path.relative_to(out) for path in out.rglob("*.npy"))
    assert arrays == sorted(
        p.relative_to(tmp_path / "fresh") for p in Path(tmp_path / "fresh").rglob("*.npy")
    )
    for path in arrays:
        assert (out / path).read_bytes() == (tmp_path / "fresh" / path).read_bytes()
    rows = [json.loads(line) for line in journal.read_bytes().splitlines() if line.endswith(b"}")]
    assert len(rows) == 30


def test_the_table_of_artists_is_kept(tmp_path):
    root = music.folder(tmp_path / "music", ["rock", "jazz"], 2, seconds=3)
    out = tmp_path / "out"
    table = {f"Artist {genre}{i} - 0{i}": "Ann" for genre in ("rock", "jazz") for i in range(2)}
    prepare.prepare_folder(root, out, spec=GTZAN_SPEC, artists=table)
    again = prepare.prepare_folder(root, out, spec=GTZAN_SPEC)
    assert {track.group for track in again.index.tracks} == {"artist:ann"}
    assert again.named == 4
    other = {**table, "Artist rock0 - 00": "Bob"}
    changed = prepare.prepare_folder(root, out, spec=GTZAN_SPEC, artists=other)
    assert {track.group for track in changed.index.tracks} == {"artist:ann", "artist:bob"}


def test_a_table_that_names_nothing_here_is_refused_before_decoding(tmp_path):
    root = music.folder(tmp_path / "music", ["rock", "jazz"], 1, seconds=3)
    with pytest.raises(DatasetError, match=r"names none of the tracks, such as 'jazz/Artist jazz0"):
        prepare.prepare_folder(root, tmp_path / "out", spec=GTZAN_SPEC, artists={"x": "Ann"})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["nothing", "no folders"])
def test_empty_folder(tmp_path, content):
    root = tmp_path / "music"
    root.mkdir()
    if content == "no folders":
        music.write(root / "a.wav", music.clip(0, 0, seconds=1))
    with pytest.raises(DatasetError, match="has no audio files in folders"):
        prepare.prepare_folder(root, tmp_path / "out", spec=GTZAN_SPEC)
    assert not (tmp_path / "out" / index.FILE_NAME).exists()


def test_folder_of_bad_files_only(tmp_path):
    (tmp_path / "music" / "rock").mkdir(parents=True)
    (tmp_path / "music" / "rock" / "a.mp3").write_text("no")
    with pytest.raises(DatasetError, match="none of the files in"):
        prepare.prepare_folder(tmp_path / "music", tmp_path / "out", spec=GTZAN_SPEC)
