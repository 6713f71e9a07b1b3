"""Measuring bundles on prepared folders: every figure here was worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from fakes import HIGH_HZ, LABELS, LOW_HZ, MIDDLE_HZ, tiny_bundle, tiny_head
from prepared import HIGH, LOW, MIDDLE, ROWS, VALID, Row, fill
from sounds import tone, write_sndfile

from tonearm import bundle, metrics
from tonearm.bundle import Bundle
from tonearm.classifier import Classifier
from tonearm.data import prepare, splits
from tonearm.data.splits import Split
from tonearm.errors import BundleError, DatasetError
from tonearm.features import MUSICNN_SPEC
from tonearm.training import evaluate, material
from tonearm.training.evaluate import Evaluation

TINY = tiny_bundle()
RATE_HZ = 16_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "data", TINY.listener_sha256)


def run(
    folder: Path, *models: Bundle, split: Path | None = None, part: str = "valid"
) -> Evaluation:
    chosen = material.choose(folder, wanted=str(split) if split else None, part=part)
    hearings = [material.hear(Classifier(model), chosen) for model in models]
    named = [(Path(f"{i}.tonearm"), model) for i, model in enumerate(models)]
    return evaluate.evaluate(named, chosen, hearings)


def saved(split: Split, path: Path) -> Path:
    split.save(path)
    return path


def test_figures_by_hand(folder: Path) -> None:
    tracks = run(folder, TINY).judged[0].figures["tracks"]
    assert tracks["n"] == 6 and tracks["groups"] == 4
    assert tracks["accuracy"] == pytest.approx(4 / 6)
    assert tracks["confusion"] == [[2, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert tracks["answered"] == {
        "n": 5,
        "coverage": pytest.approx(5 / 6),
        "accuracy": pytest.approx(3 / 5),
        "unknown": 1,
        "unknown_right": 1,
    }


def test_windows_are_judged_each_by_itself(folder: Path) -> None:
    windows = run(folder, TINY).judged[0].figures["windows"]
    # Of 11 windows the two middles of a blues and two lows of a metal are wrong.
    assert windows["n"] == 11
    assert windows["accuracy"] == pytest.approx(7 / 11)
    assert "interval_95" not in windows, "windows of a track are not independent"
    low, high = windows["interval_95_by_group"]
    assert low <= 7 / 11 <= high


def test_genre_rows(folder: Path) -> None:
    rows = {row["genre"]: row for row in run(folder, TINY).judged[0].figures["genres"]}
    assert rows["blues"]["recall"] == pytest.approx(2 / 3)
    assert rows["blues"]["precision"] == pytest.approx(2 / 3)
    assert rows["blues"]["f1"] == pytest.approx(4 / 6)
    assert (rows["blues"]["taken_for"], rows["blues"]["taken_for_count"]) == ("jazz", 1)
    assert rows["jazz"]["taken_for"] is None and rows["jazz"]["precision"] == 0.5


def test_mistakes_come_the_surest_first(folder: Path) -> None:
    found = run(folder, TINY).judged[0].mistakes()
    assert [row["path"] for row in found] == ["metal/f.wav", "blues/b.wav"]
    assert found[0]["genre"] == "metal" and found[0]["answer"] == "blues"
    assert found[0]["confidence"] > found[1]["confidence"] > found[1]["probability_of_genre"]
    assert run(folder, TINY).judged[0].mistakes(1) == found[:1]


def test_as_json(folder: Path, tmp_path: Path) -> None:
    split = honest(tmp_path)
    values = run(folder, TINY, split=split).to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["schema"] == 1 and values["tracks"] == 3
    assert values["split"] == {
        "name": "made",
        "sha256": splits.load(split).sha256,
        "part": "valid",
        "leaks": False,
        "groups_in_several_parts": [],
    }


def test_a_split_that_leaks_is_refused_or_marked(folder: Path, tmp_path: Path) -> None:
    leaking = replace(VALID, name="leaking-tracks-0")
    chosen = material.choose(folder, wanted=str(saved(leaking, tmp_path / "l")), part="valid")
    assert chosen.crossing == ("artist:ann",)
    judged = run(folder, TINY, split=tmp_path / "l").judged[0]
    assert judged.leaks
    assert "leaks on purpose: 1 artists" in judged.cautions[0].text
    plain = saved(VALID, tmp_path / "p")
    with pytest.raises(DatasetError, match=r"made leaks: 1 groups .*ann"):
        material.choose(folder, wanted=str(plain), part="valid")


def honest(tmp_path: Path) -> Path:
    """All of ann's in train, the others in valid."""
    names = [row.name for row in ROWS]
    split = Split("made", {"train": tuple(names[:3]), "valid": tuple(names[3:])})
    return saved(split, tmp_path / "honest.split")


def trained(**training: object) -> Bundle:
    return replace(TINY, training=training)


def test_a_model_of_another_split_is_marked(folder: Path, tmp_path: Path) -> None:
    split = honest(tmp_path)
    sha256 = splits.load(split).sha256

    def kinds(model: Bundle, part: str = "valid") -> list[str]:
        judged = run(folder, model, split=split, part=part).judged[0]
        return [caution.kind for caution in judged.cautions]

    assert kinds(trained(split="made", split_sha256=sha256)) == ["note"]
    assert kinds(trained(split="made", split_sha256=sha256), part="train") == ["leak"]
    assert kinds(trained(split="other", split_sha256="0")) == ["caution"]
    assert kinds(trained()) == ["caution"]
    assert kinds(trained(split="leaking-x", leaks=True, split_sha256=sha256)) == ["leak"]
    texts = run(folder, trained(data="all of it"), split=split).judged[0].cautions
    assert "was trained on all of it, not on this split" in texts[0].text


def test_without_a_split_every_track_is_measured_and_said_so(folder: Path) -> None:
    result = run(folder, TINY)
    assert result.to_dict()["split"] is None
    assert "No split" in result.judged[0].cautions[0].text


def test_parts_that_are_not_there(folder: Path, tmp_path: Path) -> None:
    split = honest(tmp_path)
    with pytest.raises(DatasetError, match="no part 'test'; it has: train, valid"):
        material.choose(folder, wanted=str(split), part="test")
    with pytest.raises(DatasetError, match="holds none of the 197 tracks that split gtzan-filt"):
        material.choose(folder, wanted="gtzan-filtered", part="valid")
    with pytest.raises(DatasetError, match="no official split"):
        material.choose(folder, wanted="nonsense", part="valid")


def test_what_a_part_promised_and_has(folder: Path, tmp_path: Path) -> None:
    split = Split("more", {"valid": ("blues/a.wav", "jazz/gone.wav")})
    chosen = material.choose(folder, wanted=str(saved(split, tmp_path / "m")), part="valid")
    assert chosen.promised == 2
    assert [track.name for track in chosen.tracks] == ["blues/a.wav"]


def test_labels_of_another_world_are_refused_by_both_names(tmp_path: Path) -> None:
    rows = [*ROWS, Row("polka/g.wav", "eve", [LOW]), Row("polka/h.wav", "eve", [LOW])]
    folder = fill(tmp_path / "d", TINY.listener_sha256, rows)
    with pytest.raises(BundleError) as caught:
        run(folder, TINY)
    assert "0.tonearm: knows blues, jazz, metal;" in str(caught.value)
    assert "also has polka (2 tracks)" in str(caught.value)


def opposite() -> Bundle:
    """Says low where the tiny model says high, and high where it says low."""
    return replace(TINY, head=replace(tiny_head(), weight=8 * np.eye(3)[::-1]))


def test_differences_are_paired(folder: Path) -> None:
    result = run(folder, TINY, opposite(), TINY)
    turned, same = result.differences
    # It loses both blues and the metal that the first got right, and wins the other metal.
    assert turned["difference"] == pytest.approx((1 - 3) / 6)
    assert (turned["only_this_right"], turned["only_first_right"]) == (1, 3)
    low, high = turned["interval_95_by_group"]
    assert low < turned["difference"] < high
    assert same["difference"] == 0
    assert same["interval_95"] == same["interval_95_by_group"] == [0, 0]


def test_only_tracks_that_all_heard_are_compared(folder: Path) -> None:
    chosen = material.choose(folder, wanted=None, part="")
    whole = material.hear(Classifier(TINY), chosen)
    less = material.Hearing(
        {name: heard for name, heard in whole.windows.items() if not name.startswith("blues")},
        (("blues/a.wav", "gone"),),
    )
    pair = [(Path("a"), TINY), (Path("b"), TINY)]
    result = evaluate.evaluate(pair, chosen, [whole, less])
    assert [judged.figures["tracks"]["n"] for judged in result.judged] == [3, 3]
    assert result.to_dict()["failed"] == [{"path": "blues/a.wav", "reason": "gone"}]
    with pytest.raises(DatasetError, match="no track can be heard by all"):
        evaluate.evaluate(pair, chosen, [whole, material.Hearing({}, ())])


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """One song a genre, as the tiny model hears them."""
    for genre, hz in zip(LABELS, (LOW_HZ, MIDDLE_HZ, HIGH_HZ), strict=True):
        (tmp_path / "music" / genre).mkdir(parents=True)
        path = tmp_path / "music" / genre / "song.wav"
        write_sndfile(path, tone(hz, 14, RATE_HZ), RATE_HZ, form="WAV")
    return tmp_path / "music"


def test_audio_is_heard_as_predict_hears_it_and_kept(music: Path, tmp_path: Path) -> None:
    prepare.prepare_folder(music, tmp_path / "p", spec=replace(MUSICNN_SPEC, scale="db"))
    chosen = material.choose(tmp_path / "p", wanted=None, part="")
    told: list[int] = []
    heard = material.hear(Classifier(TINY), chosen, jobs=2, on_done=told.append).windows
    assert told == [0, 0, 0]
    for genre in LABELS:
        direct = Classifier(TINY).listen(music / genre / "song.wav").windows
        np.testing.assert_array_equal(heard[f"{genre}/song.wav"], direct)
    for path in music.rglob("*.wav"):
        path.unlink()
    again = material.hear(Classifier(TINY), chosen).windows
    np.testing.assert_array_equal(again["jazz/song.wav"], heard["jazz/song.wav"])
    assert run(tmp_path / "p", TINY).judged[0].right.all()


def test_stored_log_mel_of_the_same_front_end_is_enough(music: Path, tmp_path: Path) -> None:
    prepare.prepare_folder(music, tmp_path / "p", spec=MUSICNN_SPEC)
    direct = Classifier(TINY).listen(music / "jazz" / "song.wav").windows
    for path in music.rglob("*.wav"):
        path.unlink()
    chosen = material.choose(tmp_path / "p", wanted=None, part="")
    heard = material.hear(Classifier(TINY), chosen).windows["jazz/song.wav"]
    assert heard.shape == direct.shape
    # float16 levels, and transforms that begin elsewhere: a thousandth of a share.
    np.testing.assert_allclose(heard, direct, atol=5e-3)


def test_files_that_fail_are_named_and_the_rest_is_measured(music: Path, tmp_path: Path) -> None:
    prepare.prepare_folder(music, tmp_path / "p", spec=replace(MUSICNN_SPEC, scale="db"))
    (music / "jazz" / "song.wav").unlink()
    result = run(tmp_path / "p", TINY)
    assert result.judged[0].figures["tracks"]["n"] == 2
    ((path, reason),) = result.failed
    assert path == str(music / "jazz" / "song.wav") and reason
    for path in music.rglob("*.wav"):
        path.unlink()
    other = replace(TINY, features=replace(MUSICNN_SPEC, window_frames=186))
    chosen = material.choose(tmp_path / "p", wanted=None, part="")
    with pytest.raises(DatasetError, match="none of 3 tracks could be heard"):
        material.hear(Classifier(other), chosen)


def test_arrays_of_another_listener_are_refused(folder: Path) -> None:
    other = replace(TINY, listener=TINY.listener + b"")
    other = replace(other, features=replace(MUSICNN_SPEC, mel_high_hz=7_000))
    chosen = material.choose(folder, wanted=None, part="")
    with pytest.raises(DatasetError, match="came as an array that this model's listener cannot"):
        material.hear(Classifier(other), chosen)


def test_only_the_segments_a_split_names(music: Path, tmp_path: Path) -> None:
    long = np.concatenate([tone(LOW_HZ, 15, RATE_HZ), tone(HIGH_HZ, 15, RATE_HZ)])
    write_sndfile(music / "metal" / "song.wav", long, RATE_HZ, form="WAV")
    prepare.prepare_folder(music, tmp_path / "p", spec=MUSICNN_SPEC)

    def accuracy(*segments: int) -> float:
        names = tuple(f"metal/song.wav#{i}" for i in segments)
        split = saved(Split("leaking-segments-0", {"valid": names}), tmp_path / "s")
        windows = run(tmp_path / "p", TINY, split=split).judged[0].figures["windows"]
        assert windows["n"] == len(segments)
        return float(windows["accuracy"])

    assert accuracy(0, 1, 2) == 0
    assert accuracy(7, 8, 9) == 1
    assert accuracy(1, 8) == 0.5


def test_history(tmp_path: Path) -> None:
    assert evaluate.read_history(tmp_path / "model.tonearm") is None
    (tmp_path / "history.csv").write_text("epoch,loss\n1,2.5\n2,1.5\n")
    found = evaluate.read_history(tmp_path / "model.tonearm")
    assert found == {"epoch": [1, 2], "loss": [2.5, 1.5]}
    for broken in ("", "epoch,loss\n", "epoch,loss\n1\n", "epoch\nx\n", "\xff\xfe"):
        (tmp_path / "history.csv").write_text(broken, "latin-1")
        assert evaluate.read_history(tmp_path / "model.tonearm") is None


def test_intervals_by_group_are_those_of_the_groups() -> None:
    rng = np.random.default_rng(0)
    values = rng.random(200) < 0.7
    alone = metrics.bootstrap_interval(values)
    each = [str(i).zfill(3) for i in range(200)]
    assert metrics.bootstrap_interval(values, groups=each) == pytest.approx(alone)
    # Ten equal tracks an artist are worth as much as one: the width is that of 20 values.
    artists = np.repeat(np.arange(20) % 10 < 7, 10)
    groups = np.repeat([f"artist {i}" for i in range(20)], 10).tolist()
    low, high = metrics.bootstrap_interval(artists, groups=groups)
    assert high - low == pytest.approx(2 * 1.96 * (0.7 * 0.3 / 20) ** 0.5, abs=0.03)
    assert high - low > 2 * (alone[1] - alone[0])


def test_groups_and_marks_must_fit() -> None:
    truth, answers = np.array([0, 1]), np.eye(2)
    with pytest.raises(DatasetError, match="1 groups do not fit 2 tracks"):
        metrics.evaluate(truth, answers, ("a", "b"), groups=["x"])
    with pytest.raises(DatasetError, match="3 marks of unknown do not fit 2"):
        metrics.evaluate(truth, answers, ("a", "b"), known=np.ones(3, dtype=bool))
    nothing = metrics.answered(np.array([True, False]), np.array([False, False]))
    assert nothing["accuracy"] is None and nothing["coverage"] == 0
    assert (nothing["unknown"], nothing["unknown_right"]) == (2, 1)


# The command line.


def test_command(tonearm: Command, folder: Path, model_path: Path) -> None:
    ended = tonearm("evaluate", model_path, folder)
    assert ended.code == 0
    assert f"all of {folder}: 6 tracks" in ended.out
    assert "tracks   0.667" in ended.out and "4 groups" in ended.out
    assert "answered 0.833  0.600 of these right; 1 unknown, 1 of them wrongly" in ended.out
    assert "blues    3  0.667   0.667      0.667  jazz (1)" in ended.out
    assert ended.err.startswith("CAUTION: No split")


def test_command_json(tonearm: Command, folder: Path, model_path: Path, tmp_path: Path) -> None:
    split = honest(tmp_path)
    ended = tonearm("evaluate", model_path, folder, "--split", split, "--json")
    assert ended.code == 0
    values = json.loads(ended.out)
    assert values["split"]["part"] == "valid"
    assert values["models"][0]["sha256"] == bundle.load(model_path).sha256
    assert values["models"][0]["tracks"]["accuracy"] == pytest.approx(2 / 3)
    again = json.loads(
        tonearm("evaluate", model_path, folder, "--split", split, "--part", "train", "--json").out
    )
    assert again["models"][0]["tracks"]["n"] == 3


def test_command_compares(tonearm: Command, folder: Path, model_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tonearm"
    bundle.save(opposite(), other)
    report = tmp_path / "r.html"
    ended = tonearm("evaluate", model_path, folder, "--compare", other, "--report", report)
    assert ended.code == 0
    assert "tracks -0.333  by group [" in ended.out and "won 1, lost 3" in ended.out
    assert "Side by side" in report.read_text("utf-8")


def test_command_finds_the_split_beside_the_bundle(
    tonearm: Command, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    split = splits.load(honest(tmp_path))
    split.save(tmp_path / "run" / "split.txt")
    path = tmp_path / "run" / "model.tonearm"
    bundle.save(trained(split="made", split_sha256=split.sha256), path)
    ended = tonearm("evaluate", path, folder)
    assert ended.out.startswith(f"valid of made {split.sha256[:12]}: 3 tracks")
    assert ended.err.startswith(f"NOTE: {path}: What was chosen")


def test_command_on_a_folder_of_music(tonearm: Command, music: Path, model_path: Path) -> None:
    (music / "jazz" / "notes.mp3").write_text("no music")
    ended = tonearm("evaluate", model_path, music)
    assert ended.code == 1
    assert "3 tracks" in ended.out and "tracks   1.000" in ended.out
    assert "prepared in" in ended.err
    assert "1 could not be heard" in ended.err and "jazz/notes.mp3: " in ended.err


def test_command_refuses(tonearm: Command, folder: Path, model_path: Path, tmp_path: Path) -> None:
    foreign = fill(tmp_path / "f", TINY.listener_sha256, [Row("polka/g.wav", "eve", [LOW])])
    for arguments, reason in (
        ((model_path, foreign), "knows blues, jazz, metal; "),
        ((tmp_path / "none", folder), "model cannot be read"),
        ((model_path, tmp_path / "none"), "is no folder"),
        ((model_path, folder, "--split", "grouped"), "artists or groups"),
        ((model_path, folder, "--part", "test"), "Name a --split"),
        ((model_path, folder, "--split", "grouped", "--part", "x"), "is none of train"),
        ((model_path, folder, "--report", tmp_path / "no" / "r.html"), "cannot be written"),
    ):
        ended = tonearm("evaluate", *arguments)
        assert ended.code == 2, arguments
        assert reason in " ".join(ended.err.replace("│", " ").split())
        assert "Traceback" not in ended.err


def test_models(tonearm: Command, tmp_path: Path) -> None:
    figures = run(fill(tmp_path / "d", TINY.listener_sha256), TINY).judged[0].figures
    training = {"split": "leaking-tracks-0", "split_sha256": "abc", "leaks": True}
    (tmp_path / "runs" / "one").mkdir(parents=True)
    path = tmp_path / "runs" / "one" / "model.tonearm"
    made = replace(trained(**training), metrics={"valid": figures})
    sha256 = bundle.save(made, path)
    (tmp_path / "runs" / "bad.tonearm").write_bytes(b"nothing")
    ended = tonearm("models", tmp_path / "runs")
    assert ended.code == 1
    assert "shipped" in ended.out and "lstm" in ended.out
    size = path.stat().st_size / 1e6
    assert f"tiny, 3 genres, {size:.2f} MB, sha256 {sha256[:12]}" in ended.out
    assert "trained on leaking-tracks-0, split abc" in ended.out
    assert "0.667 [" in ended.out and "n=6 (valid tracks)  LEAKS" in ended.out
    assert "1 could not be read:" in ended.err and "bad.tonearm: not a Tonearm" in ended.err
    values = json.loads(tonearm("models", tmp_path / "runs", "--json").out)
    assert [row["shipped"] for row in values["models"]] == [True, False]
    assert values["models"][1]["labels"] == list(LABELS)
    assert tonearm("models", tmp_path / "nowhere").code == 2


def test_the_hand_made_rows_are_what_they_say() -> None:
    assert [tuple(TINY.head.decide(np.array([w])).probabilities.round()) for w in (LOW, HIGH)] == [
        (1, 0, 0),
        (0, 0, 1),
    ]
    assert TINY.head.decide(np.array([MIDDLE])).known
