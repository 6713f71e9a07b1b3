"""``tonearm train`` for heads: what is said of data and splits, what is refused, what is kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from click.testing import Result
from support import music
from support.prepared import Row, fill
from typer.testing import CliRunner

from tonearm.cli.app import app
from tonearm.data import index, splits
from tonearm.data.splits import Split
from tonearm.errors import TonearmError
from tonearm.model import file as model_file

GENRES = ("chirp", "drone")


def tonearm(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def says(result: Result) -> str:
    """All that reached the terminal, as one line."""
    known = isinstance(result.exception, TonearmError)
    text = result.output + (str(result.exception) if known else "")
    return " ".join(text.replace("│", " ").split())


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return music.folder(tmp_path_factory.mktemp("m") / "music", list(GENRES), 4, seconds=3)


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    """A prepared folder of ten tracks per genre, by ten artists, with embeddings."""
    rng = np.random.default_rng(0)
    rows = [
        Row(f"{genre}/{i}.wav", f"{genre}{i}", rng.beta(1 + g, 3, (2, 50)).tolist())
        for g, genre in enumerate(GENRES)
        for i in range(10)
    ]
    return fill(tmp_path / "data", model_file.load().encoder_sha256, rows)


def change(folder: Path, name: str, **values: str) -> None:
    """Other values of one track of a prepared folder."""
    made = index.load(folder)
    tracks = tuple(replace(t, **values) if name == t.name else t for t in made.tracks)
    replace(made, tracks=tracks).save(folder / index.FILE_NAME)


def test_the_artists_that_were_given_stay_when_train_prepares(songs: Path, tmp_path: Path) -> None:
    root = shutil.copytree(songs, tmp_path / "gt")
    lines = [f"Artist {genre}{i} - 0{i}\t{genre} {i // 2}" for genre in GENRES for i in range(4)]
    (tmp_path / "artists.tsv").write_text("\n".join(lines))
    assert tonearm("prepare", root, "--artists", tmp_path / "artists.tsv").exit_code == 0
    result = tonearm("train", root, "--output", tmp_path / "run")
    assert result.exit_code == 0, says(result)
    assert "artists of 8 of 8 tracks:" in says(result) and "as given before" in says(result)
    assert {t.group for t in index.load(tmp_path / "gt.prepared").tracks} == {
        f"artist:{genre} {i}" for genre in GENRES for i in range(2)
    }
    assert "n=8 by 4 groups" in result.stdout


def test_training_says_what_preparing_would(songs: Path, tmp_path: Path) -> None:
    root = shutil.copytree(songs, tmp_path / "gt")
    (root / "nothing").mkdir()
    (root / "Drone").mkdir()
    shutil.copy(root / "drone" / "Artist drone0 - 00.wav", root / "Drone" / "x.wav")
    shutil.copy(root / "drone" / "Artist drone1 - 01.wav", root / "chirp" / "y.wav")
    result = tonearm("train", root, "--output", tmp_path / "run")
    assert result.exit_code == 0, says(result)
    for text in (
        "The folder nothing has no audio files",
        "The folder drone counts as Drone.",
        "Drone 5, chirp 5",
        "10 tracks, 2 genres, 8 groups",
        "y.wav, which is in chirp: both are left out",
        "NOTE: Copies of other tracks left out: 1.",
        "NOTE: Left out, as copies of one recording in several genres: chirp/y.wav, drone/Artist",
    ):
        assert text in says(result), text
    assert "n=7" in result.stdout


def test_unknown_artists_are_said_and_kept(embeddings: Path, tmp_path: Path) -> None:
    known = tonearm("train", embeddings, "--output", tmp_path / "known")
    assert "5 folds by group" in known.stdout and "rtist unknown" not in known.stderr
    for track in index.load(embeddings).tracks:
        change(embeddings, track.name, group=f"track:{track.name}")
    result = tonearm("train", embeddings, "--output", tmp_path / "run")
    assert "5 folds by track" in result.stdout
    assert "CAVEAT: Artist unknown for 20 of 20 tracks: " in says(result)
    assert model_file.load(tmp_path / "run" / "model.tonearm").training["artist_unknown"] == 20
    assert "artist unknown for 20 tracks" in tonearm("models", tmp_path / "run").stdout


def test_evaluate_measures_a_head_on_the_split_it_was_trained_on(
    embeddings: Path, tmp_path: Path
) -> None:
    change(embeddings, "chirp/1.wav", copy_of="chirp/0.wav", group="artist:chirp0")
    run = tmp_path / "run"
    trained = tonearm("train", embeddings, "--split", "grouped", "--seed", 3, "--output", run)
    assert trained.exit_code == 0, says(trained)
    split = splits.load(run / "split.txt")
    assert split == splits.grouped(index.load(embeddings)), "--seed leaves the split"
    measured = tonearm("evaluate", run / "model.tonearm", embeddings)
    assert measured.stdout.startswith(f"valid of grouped-0 {split.sha256[:12]}")
    said = [line.split("\t") for line in trained.stdout.splitlines()]
    assert said[0][0] == "grouped-0, valid, tracks, accuracy"
    assert f"tracks   {said[0][1]}" in measured.stdout
    assert "was trained on" not in measured.stderr
    assert tonearm("train", embeddings, "--output", run).exit_code == 0
    assert not (run / "split.txt").exists(), "the split of the model that was here before"


def test_a_part_that_is_not_here_is_said(embeddings: Path, tmp_path: Path) -> None:
    names = [track.name for track in index.load(embeddings).tracks]
    Split("mine", {"train": tuple(names), "valid": ("gone",)}).save(tmp_path / "s")
    result = tonearm("train", embeddings, "--split", tmp_path / "s", "--output", tmp_path / "run")
    assert result.exit_code == 0 and result.stdout == ""
    assert "Nothing is measured: the subset valid has no track here. Found: train 20." in says(
        result
    )
    assert "The split mine names tracks that are not here: valid 1 of 1." in says(result)


def test_a_head_on_a_split_is_measured_on_what_it_did_not_learn(tmp_path: Path) -> None:
    """In valid the genres are exchanged: all that was learnt is wrong there."""
    rng = np.random.default_rng(0)
    rows = [
        Row(
            f"{genre}/{subset}{i}.wav",
            f"{subset}{genre}{i}",
            rng.beta(1 + 3 * ((genre == "drone") ^ (subset == "valid")), 4, (2, 50)).tolist(),
        )
        for genre in GENRES
        for subset in ("train", "valid")
        for i in range(6)
    ]
    folder = fill(tmp_path / "p", model_file.load().encoder_sha256, rows)
    names = {s: tuple(row.name for row in rows if s in row.name) for s in ("train", "valid")}
    Split("mine", names).save(tmp_path / "s")
    result = tonearm("train", folder, "--split", tmp_path / "s", "--output", tmp_path / "run")
    assert "mine, valid, tracks, accuracy\t0.000" in result.stdout, says(result)


def test_a_head_on_a_split_that_leaks_says_so_as_a_network_does(
    embeddings: Path, tmp_path: Path
) -> None:
    result = tonearm("train", embeddings, "--split", "random-tracks", "--output", tmp_path / "run")
    assert "LEAK: Split leaking-tracks-0 leaks on purpose" in says(result)


def test_seeds_of_a_head_are_measured_each_and_together(embeddings: Path, tmp_path: Path) -> None:
    once = tonearm("train", embeddings, "-o", tmp_path / "one").stdout
    result = tonearm("train", embeddings, "--set", "seeds=2", "-o", tmp_path / "run")
    first, second, both = result.stdout.splitlines()
    assert [first] == once.splitlines() and "seed 1" in second and "2 seeds ±" in both
    values = json.loads((tmp_path / "run" / "metrics.json").read_text())
    of_each = [float(line.split("\t")[1]) for line in (first, second)]
    assert values["seeds"]["accuracy"] == pytest.approx(sum(of_each) / 2, abs=1e-3)
    assert values["held_out"]["accuracy"] == pytest.approx(of_each[0], abs=1e-3)


def test_a_genre_by_one_artist_is_called_unmeasured_only_where_it_is(embeddings: Path) -> None:
    """A split at random measures a genre by one artist; one by groups does not."""
    for i in range(10):
        change(embeddings, f"chirp/{i}.wav", group="artist:ann")
    said = "chirp is learnt but not measured"
    made = embeddings.with_name("run")
    assert said not in says(tonearm("train", embeddings, "--split", "random-tracks", "-o", made))
    values = json.loads((made / "metrics.json").read_text())
    assert values["valid"]["per_genre"]["chirp"]["n"] == 2
    assert said in says(tonearm("train", embeddings, "--split", "grouped", "-o", made))


def test_a_grown_head_keeps_what_its_base_leaked(embeddings: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    tonearm("train", embeddings, "--split", "random-tracks", "--output", base)
    rng = np.random.default_rng(1)
    rows = [Row(f"hum/{i}.wav", f"h{i}", rng.beta(3, 1, (2, 50)).tolist()) for i in range(6)]
    new = fill(tmp_path / "new", model_file.load().encoder_sha256, rows)
    arguments = ("--save", "--model", base / "model.tonearm", "--output", tmp_path / "grown")
    result = tonearm("extend", new, *arguments)
    assert result.exit_code == 0, says(result)
    listed = tonearm("models", tmp_path / "grown").stdout
    assert "leaking-tracks-0; and 6 tracks of hum" in listed
    assert "hum gained, recall" in listed and "LEAKS" in listed


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--resume",), "a head takes seconds"),
        (("DATA", "--epochs", "3"), "is only for networks"),
        (("DATA", "--set", "patience=3"), "patience is only for networks"),
        (("DATA", "--set", "seeds=0"), "seeds=0 is not a number of 1 or more"),
        (
            ("DATA", "--set", "seeds=2", "--split", "grouped"),
            "is fitted once, without folds and seeds",
        ),
        (("DATA", "--device", "cuda"), "onnxruntime-gpu for cuda"),
        (("DATA", "--arch", "lstm", "--model", "x"), "is only for heads"),
        ((), "name a folder of music"),
    ],
)
def test_options_without_effect_are_refused(
    embeddings: Path, arguments: tuple[str, ...], reason: str
) -> None:
    words = [str(embeddings) if word == "DATA" else word for word in arguments]
    result = tonearm("train", *words)
    assert result.exit_code == 2
    assert reason in says(result)


@pytest.mark.parametrize("command", ["train", "extend", "learn", "evaluate", "prepare", "models"])
def test_no_command_has_more_than_twelve_options(command: str) -> None:
    found = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    options = {name for each in found for name in each.opts if name.startswith("--")}
    assert len(options - {"--verbose"}) <= 12, options
    for each in found:
        sentence = (getattr(each, "help", None) or "").split(". ")[0]
        assert len(sentence) <= 60, f"{command} {each.opts}: {sentence}"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("train", "--split", "nonsense"), "no split 'nonsense'"),
        (("extend",), "the model knows jazz already"),
        (("extend", "--check", "/nowhere"), "/nowhere does not exist"),
        (("train", "--output", "/dev/null/x"), "/dev/null/x cannot be written"),
    ],
)
def test_refused_before_anything_is_decoded(
    tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    for name in ("Jazz/a.wav", "drone/b.wav"):
        (tmp_path / "m" / name).parent.mkdir(parents=True)
        (tmp_path / "m" / name).touch()
    command, *options = arguments
    result = tonearm(command, tmp_path / "m", "--output", tmp_path / "run", *options)
    assert reason in says(result)
    assert not (tmp_path / "m.prepared").exists()


@pytest.mark.parametrize("command", ["train", "extend", "learn"])
def test_a_networks_run_is_not_replaced_by_a_head(tmp_path: Path, command: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("checkpoint.pt", "model.tonearm", "split.txt", "split.csv"):
        (run / name).write_text("of the network")
    (tmp_path / "m" / "drone").mkdir(parents=True)
    (tmp_path / "m" / "drone" / "a.wav").touch()
    options = {"train": [tmp_path / "m"], "extend": [tmp_path / "m", "--save"], "learn": ["--save"]}
    result = tonearm(command, *options[command], "-o", run)
    assert result.exit_code and "run holds a network's run (checkpoint.pt)" in says(result)
    kept = {path.name: path.read_text() for path in run.iterdir()}
    assert len(kept) == 4 and set(kept.values()) == {"of the network"}


def test_one_genre_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "m" / "drone").mkdir(parents=True)
    (tmp_path / "m" / "drone" / "a.wav").touch()
    assert "only one genre (drone)" in says(tonearm("train", tmp_path / "m"))
    assert not (tmp_path / "m.prepared").exists()


def test_music_that_is_gone_is_named(songs: Path, tmp_path: Path) -> None:
    root = shutil.copytree(songs, tmp_path / "gt")
    assert tonearm("prepare", root).exit_code == 0
    shutil.rmtree(root)
    result = tonearm("train", tmp_path / "gt.prepared", "--output", tmp_path / "run")
    assert f"none of the tracks could be analysed, e.g. {root}/chirp/" in says(result)


def test_check_analyses_a_folder_and_wants_old_genres_alone(songs: Path, tmp_path: Path) -> None:
    new = shutil.copytree(songs / "drone", tmp_path / "new" / "drone").parent
    old = shutil.copytree(songs / "chirp", tmp_path / "old" / "chirp").parent
    shutil.copytree(songs / "chirp", tmp_path / "old" / "hiss")
    for path in (tmp_path / "old" / "hiss").iterdir():
        music.write(path, music.clip(5, len(path.name) + ord(path.name[-5]), seconds=3))
    result = tonearm("extend", new, "--check", old, "--output", tmp_path / "run")
    assert "lost\told genres" in result.stdout, says(result)
    # The recall is that of the model that --save saves, not of the heads that the loss is of.
    own = tonearm("extend", new, "--output", tmp_path / "run").stdout.splitlines()
    assert own[0].startswith("gained\tdrone\trecall") and own[0] in result.stdout
    assert own[1] not in result.stdout
    shutil.copytree(songs / "drone", old / "drone")
    result = tonearm("extend", new, "--check", old, "--output", tmp_path / "run")
    assert "it has drone, which is to be added" in says(result)


def test_genres_are_printed_so_that_no_terminal_obeys_them(songs: Path, tmp_path: Path) -> None:
    for name in ("a\x1b[31mb", "plain"):
        shutil.copytree(songs / "drone", tmp_path / "m" / name)
    result = tonearm("prepare", tmp_path / "m")
    assert "\x1b" not in result.output
    assert result.stdout == "a\\x1b[31mb\t4\nplain\t4\n"
    values = json.loads(tonearm("models", tmp_path, "-f", "json").stdout)
    assert values["models"]


def test_a_silent_file_is_not_learnt_from(songs: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(songs, tmp_path / "m"))
    music.write(root / "drone" / "none.wav", np.zeros(9 * music.RATE_HZ, dtype=np.float32))
    # Below the last bit of a CD; its embeddings are not those of zeros.
    hiss = np.random.default_rng(0).uniform(-2e-5, 2e-5, 9 * music.RATE_HZ)
    soundfile.write(root / "drone" / "hiss.wav", hiss, music.RATE_HZ, subtype="FLOAT")
    result = tonearm("train", root, "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert "8 tracks; 10 files opened" in says(result)
    again = tonearm("train", root, "-o", tmp_path / "run")
    assert "8 tracks; no file had to be opened" in says(again)
    made = model_file.load(tmp_path / "run" / "model.tonearm")
    assert made.name == f"run on {model_file.load().name}"
    assert "drone/none.wav is silent, so it has no genre" in says(result)
    assert "drone/hiss.wav is silent, so it has no genre" in says(result)


def test_a_genre_that_a_split_measures_but_does_not_teach_is_named(tmp_path: Path) -> None:
    rows = [
        Row(f"{genre}/{i}.wav", f"{genre}{i}", np.full((2, 50), 0.2 + 0.1 * i).tolist())
        for genre in (*GENRES, "hiss")
        for i in range(4)
    ]
    folder = fill(tmp_path / "p", model_file.load().encoder_sha256, rows)
    table = tmp_path / "s.csv"
    subsets = ((row.name, "valid" if "hiss" in row.name else "train") for row in rows)
    table.write_text("path,split\n" + "".join(f"{name},{subset}\n" for name, subset in subsets))
    result = tonearm("train", folder, "--split", table, "-o", tmp_path / "run")
    assert "train subset of split s has no track of hiss, but valid has" in says(result)
