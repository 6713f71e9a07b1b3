import json
import shutil
import subprocess
import sys
from pathlib import Path

import mutagen
import numpy as np
import pytest
from support import music
from typer.testing import CliRunner

from tonearm.cli import train_network
from tonearm.cli.app import app
from tonearm.data import index
from tonearm.data.prepare import prepared_path
from tonearm.errors import DatasetError, pip_install
from tonearm.model import file as model_file


def _tonearm(*arguments):
    """The command in this process: result with exit code, stdout and stderr."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two genres by other names, ten songs each, and one file that is none."""
    root = music.folder(tmp_path_factory.mktemp("m") / "music", ["drone", "chirp"], 10)
    (root / "drone" / "notes.mp3").write_text("no music")
    return root


@pytest.fixture(scope="module")
def prepared(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "p"
    result = _tonearm("prepare", folder, "--output", out)
    assert result.exit_code == 1, result.output
    return out


def test_prepare_counts_on_stdout_and_names_the_bad_on_stderr(folder, tmp_path):
    result = _tonearm("prepare", folder, "-o", tmp_path / "p")
    assert result.exit_code == 1
    assert result.stdout == "chirp\t10\ndrone\t10\n"
    assert "1 could not be used:\n  drone/notes.mp3 is text, not sound" in result.stderr
    assert "\x1b" not in result.stderr


def test_labels_come_from_a_table_and_are_kept(tmp_path):
    root = music.folder(tmp_path / "m", ["drone", "chirp"], 3, seconds=3)
    table = tmp_path / "labels.csv"
    rows = [
        f"drone/Artist drone{i} - 0{i}.wav,{'Low' if i else 'High'},A{i},test" for i in range(3)
    ]
    rows[1] = rows[1].replace("Low", "Low;Mid")
    rows.append("gone.wav,Low,A9,test")
    table.write_text("\n".join(["path,genre,artist,split", *rows, ""]))
    result = _tonearm("prepare", root, "--labels", table)
    assert "1 row of the table of labels without a file here: gone.wav" in result.stderr
    assert "1 track of several genres: the first of each counts." in result.stderr
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "High\t1\nLow\t2\n"
    assert "3 files left out: the table of labels gives no genre." in result.stderr
    again = _tonearm("prepare", root)
    assert again.stdout == result.stdout, "the table is kept"
    made = index.load(prepared_path(root))
    assert [track.group for track in made.tracks] == ["artist:a0", "artist:a1", "artist:a2"]
    # It was given for the music, wherever that is prepared, unless another one is kept there.
    elsewhere = _tonearm("prepare", root, "-o", tmp_path / "p")
    assert elsewhere.stdout == result.stdout and index.load(tmp_path / "p").tracks == made.tracks
    table.write_text(table.read_text().replace("High", "Low"))
    other = _tonearm("prepare", root, "-o", tmp_path / "p", "--labels", table)
    assert other.stdout == "Low\t3\n" == _tonearm("prepare", root, "-o", tmp_path / "p").stdout


def test_silent_files_are_left_out_with_a_word(tmp_path):
    root = music.folder(tmp_path / "m", ["drone", "chirp"], 1, seconds=3)
    music.write(root / "drone" / "none.wav", np.zeros(3 * music.RATE_HZ, dtype=np.float32))
    result = _tonearm("prepare", root)
    assert result.exit_code == 1
    assert result.stdout == "chirp\t1\ndrone\t1\n"
    assert "drone/none.wav is silent, so it has no genre" in result.stderr


def test_artist_in_the_tags_is_the_group(tmp_path):
    for i in range(2):
        path = music.write(tmp_path / "m" / "rock" / f"{i}.flac", music.clip(0, i))
        tags = mutagen.File(path)
        tags["artist"] = "The Same"
        tags.save()
    music.write(tmp_path / "m" / "rock" / "3.flac", music.clip(0, 3))
    assert _tonearm("prepare", tmp_path / "m").exit_code == 0
    groups = [track.group for track in index.load(tmp_path / "m.prepared").tracks]
    assert groups == ["artist:same", "artist:same", "track:rock/3.flac"]


def test_json_of_the_original(tmp_path):
    wide = music.folder(tmp_path / "m", ["rock", "jazz"], 1, seconds=30)
    result = _tonearm("prepare", wide, "-o", tmp_path / "p", "--json", tmp_path / "data.json")
    assert result.exit_code == 0, result.output
    values = json.loads((tmp_path / "data.json").read_text())
    assert values["mapping"] == ["jazz", "rock"]
    assert values["labels"] == [0] * 10 + [1] * 10
    assert np.array(values["mfcc"]).shape == (20, 130, 13)
    assert values["tracks"] == [track for track in values["tracks"][::10] for _ in range(10)]
    assert values["groups"][::10] == ["artist:artist jazz0", "artist:artist rock0"]


def test_own_genres_from_folder_to_prediction(folder, prepared, tmp_path):
    result = _tonearm("train", prepared, "--output", tmp_path / "own")
    assert result.exit_code == 0, result.output
    assert "folds by group" in result.stdout and "n=20" in result.stdout
    made = model_file.load(tmp_path / "own" / "model.tonearm")
    assert made.labels == ("chirp", "drone")
    assert made.training["data"] == "all 20 tracks of music"
    assert made.training["evaluated"] == "5 folds by group, seed 0"
    figures = json.loads((tmp_path / "own" / "metrics.json").read_text())
    assert figures["held_out"] == made.metrics["held_out"] and figures["held_out"]["n"] == 20
    assert figures["training"]["evaluated"] == "5 folds by group, seed 0"
    assert "sounds" not in json.dumps(figures), "fingerprints are for the model file"
    song = next((folder / "chirp").iterdir())
    answer = _tonearm("predict", "--model", tmp_path / "own" / "model.tonearm", song, "-f", "jsonl")
    assert set(json.loads(answer.stdout)["probabilities"]) == {"chirp", "drone"}


def test_a_bad_file_is_named_at_the_end_and_told_by_the_exit_code(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "music")
    result = _tonearm("train", tmp_path / "music", "--output", tmp_path / "own")
    assert result.exit_code == 1, result.output
    assert model_file.load(tmp_path / "own" / "model.tonearm").head.labels == ("chirp", "drone")
    *_, heading, named = result.stderr.splitlines()
    assert heading == "1 could not be used and were left out:"
    assert named.startswith("  drone/notes.mp3 is text, not sound")


def test_a_damaged_file_is_named_at_the_end_too(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "music", ignore=shutil.ignore_patterns("notes.mp3"))
    torn = next((tmp_path / "music" / "chirp").iterdir())
    torn.write_bytes(torn.read_bytes()[:100_000])
    for command in (("train", "--output", tmp_path / "own"), ("prepare",)):
        result = _tonearm(*command, tmp_path / "music")
        assert result.exit_code == 1, result.output
        *_, heading, named = result.stderr.splitlines()
        assert heading == "1 damaged, used as far as they can be read:" and torn.name in named


@pytest.mark.parametrize("path", ["a/b", "a/b/c/..", "a/b/./", "a/b/c/../../b"])
def test_prepared_folder_lies_beside_the_music(tmp_path, path):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    assert prepared_path(tmp_path / path) == tmp_path / "a" / "b.prepared"


def test_nothing_lies_beside_the_root():
    with pytest.raises(DatasetError, match="tonearm prepare --output"):
        prepared_path(Path("/"))


def test_add_measures_first_and_writes_only_when_told(prepared, tmp_path):
    result = _tonearm("extend", prepared, "--output", tmp_path / "a")
    assert result.exit_code == 0, result.output
    assert "The model was not saved" in result.stderr
    assert not (tmp_path / "a").exists()
    result = _tonearm("extend", prepared, "--save", "--output", tmp_path / "a")
    assert result.exit_code == 0, result.output
    grown, base = model_file.load(tmp_path / "a" / "model.tonearm"), model_file.load()
    assert grown.labels == (*base.labels, "chirp", "drone")
    # It knows the tracks that the base learnt from: `evaluate` must still see a leak on them.
    assert grown.training["split_sha256"] == base.training["split_sha256"]
    assert grown.training["data"].endswith("and 20 tracks of chirp, drone")


def test_gain_and_loss_against_a_folder_of_the_old_ones(prepared, tmp_path):
    """The folder that is checked stands for the old genres here."""
    for i in range(4):
        music.write(tmp_path / "new" / "hiss" / f"Artist {i} - {i}.wav", music.clip(2, i))
    result = _tonearm("extend", tmp_path / "new", "--check", prepared)
    assert result.exit_code == 0, result.output
    lines = dict(line.split("\t", 1) for line in result.stdout.splitlines())
    assert lines["gained"].startswith("hiss\trecall") and "n=4" in lines["gained"]
    assert "n=20" in lines["lost"]


def test_a_sound_is_not_added_as_one_genre_and_measured_as_another(folder, prepared, tmp_path):
    song = sorted((folder / "drone").iterdir())[0]
    for i in range(4):
        music.write(tmp_path / "new" / "hiss" / f"Artist {i} - {i}.wav", music.clip(2, i))
    (tmp_path / "new" / "hiss" / "own name.wav").write_bytes(song.read_bytes())
    result = _tonearm("extend", tmp_path / "new", "--check", prepared)
    assert isinstance(result.exception, DatasetError)
    assert "have 1 sound in common, under different genres: hiss/own name.wav" in str(
        result.exception
    )


def test_tracks_that_a_split_does_not_name_are_counted(folder, prepared, tmp_path):
    """Else a head of four songs would pass for one of twenty."""
    lines = [
        f"{genre}\\Artist {genre}{i} - {i:02}.wav,{subset}\n"
        for genre in ("drone", "chirp")
        for i, subset in enumerate(("train", "valid"))
    ]
    table = tmp_path / "mine.csv"
    table.write_text("path,split\n" + "".join(lines))
    result = _tonearm("train", prepared, "--split", table, "-o", tmp_path / "head")
    assert result.exit_code == 0, result.output
    assert "16 of 20 tracks are in no subset of the split mine and not used" in (
        " ".join(result.stderr.split())
    )
    assert "n=2 by 2 groups" in result.stdout, "backslashes are those of a table of Windows"


def test_net_from_prepared_folder_to_prediction(folder, prepared, tmp_path):
    pytest.importorskip("lightning_fabric")
    out = tmp_path / "net"
    arguments = ("--arch", "lstm", "--epochs", 1, "--device", "cpu", "--output", out)
    result = _tonearm("train", prepared, *arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("grouped-0, valid") == 2
    assert result.stdout.count(" by 4 groups") == 2
    assert "epoch 1/1: loss" in result.stderr
    other = _tonearm("train", "--arch", "gabor", "--resume", "--epochs", 2, "--output", out)
    assert other.exit_code == 2 and "was begun with lstm" in " ".join(other.stderr.split())
    again = _tonearm("train", "--arch", "lstm", "--resume", "--epochs", 2, "--output", out)
    assert again.exit_code == 0, again.output
    assert "epoch 2/2" in again.stderr and "epoch 1/2" not in again.stderr
    assert "--arch lstm --epochs 2 --seed 0" in (out / "settings.toml").read_text()
    fewer = _tonearm("train", "--arch", "lstm", "--resume", "--epochs", 1, "--output", out)
    assert fewer.exit_code == 2 and "has 2 epochs already" in " ".join(fewer.stderr.split())
    # A rate that was planned for two epochs is not that of a run of three.
    begun = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**begun, "settings": {"schedule": "one-cycle"}}))
    more = _tonearm("train", "--arch", "lstm", "--resume", "--epochs", 3, "--output", out)
    assert more.exit_code == 2 and "one-cycle" in more.stderr and "its 2 epochs" in more.stderr
    song = next((folder / "drone").iterdir())
    assert _tonearm("predict", "--model", out / "model.tonearm", song).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--arch", "transformer"), "not one of head, lstm, gabor, cnn, nor FILE.py:CLASS"),
        (("--arch", "lstm", "--model", "x"), "is only for heads"),
        (("--arch", "lstm", "--set", "precision=8"), "32-true"),
        (("--arch", "lstm", "--set", "patience=x"), "a number is needed"),
        (("--arch", "lstm", "--set", "speed=8"), "no setting 'speed' of lstm"),
        (("--arch", "lstm", "--device", "tpu"), "not one of auto, cpu, cuda, mps"),
        (("--arch", "lstm", "--resume"), "a resumed run keeps its own"),
        (("--resume",), "a head takes seconds"),
        (("--arch", "lstm", "--resume", "--seed", "3"), "a resumed run keeps its own"),
    ],
)
def test_usage_errors(prepared, arguments, message):
    result = _tonearm("train", prepared, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def _main(*arguments, code=""):
    """The command as its own process, with ``code`` run before."""
    run = "from tonearm.cli.app import main; sys.argv[0] = 'tonearm'; main()"
    text = f"{code}\nimport sys; {run}"
    command = [sys.executable, "-c", text, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_the_extra_it_says_what_to_install_and_prepares_nothing(folder, tmp_path):
    hidden = "import sys; sys.modules['lightning_fabric'] = None"
    done = _main("train", folder, "--arch", "lstm", "--output", tmp_path / "x", code=hidden)
    assert done.returncode == 2
    assert pip_install("train") in done.stderr and "Traceback" not in done.stderr
    assert "prepared in" not in done.stderr


def test_help_loads_no_torch():
    code = "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules))"
    done = _main("train", "--help", code=code)
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("False")


@pytest.mark.parametrize(
    ("genres", "clips", "message"),
    [
        (["one"], 4, "only one genre"),
        ([], 0, "no audio files"),
    ],
    ids=["one genre", "nothing"],
)
def test_folders_nothing_can_be_learnt_from(tmp_path, genres, clips, message):
    root = tmp_path / "music"
    root.mkdir()
    music.folder(root, genres, clips)
    result = _tonearm("train", root, "--output", tmp_path / "x")
    assert message in str(result.exception)
    assert not (tmp_path / "x").exists()


def test_genres_of_one_artist_are_trained_without_a_figure(tmp_path):
    root = music.folder(tmp_path / "music", ["one", "two"], 1, seconds=8)
    result = _tonearm("train", root, "--output", tmp_path / "x")
    assert result.exit_code == 0 and result.stdout == ""
    assert "NOTE: one is learnt but not measured: it has a single artist" in result.stderr
    made = model_file.load(tmp_path / "x" / "model.tonearm")
    assert made.labels == ("one", "two") and made.metrics == {}
    assert made.training["evaluated"] == "not at all"


def test_a_network_learns_a_genre_of_one_artist(tmp_path):
    pytest.importorskip("lightning_fabric")
    root = music.folder(tmp_path / "music", ["one", "two", "three"], 4, seconds=6)
    for path in sorted((root / "three").iterdir()):
        path.rename(path.with_name(f"Ann - {path.stem[-2:]}.wav"))
    options = ("--arch", "lstm", "--epochs", 1, "--device", "cpu", "-o", tmp_path / "x")
    result = _tonearm("train", root, *options)
    assert result.exit_code == 0, result.output
    assert "NOTE: three is learnt but not measured" in result.stderr
    values = json.loads((tmp_path / "x" / "metrics.json").read_text())["valid"]["tracks"]
    assert set(values["per_genre"]) == {"one", "two"}


def test_runs_of_all_seeds_have_one_split(prepared, tmp_path):
    pytest.importorskip("lightning_fabric")
    for seed in (0, 1):
        options = ("--arch", "gabor", "--device", "cpu", "--seed", seed, "-o", tmp_path / str(seed))
        assert _tonearm("train", prepared, *options).exit_code == 0
    one, other = ((tmp_path / str(seed) / "split.txt").read_bytes() for seed in (0, 1))
    assert one == other


def test_interrupted_preparation_is_no_data_set(prepared, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "journal.jsonl").write_bytes((prepared / "journal.jsonl").read_bytes())
    result = _tonearm("train", broken)
    assert "not prepared completely" in str(result.exception)


def test_index_holds_the_failed(prepared):
    assert [name for name, _ in index.load(prepared).failed] == ["drone/notes.mp3"]


def test_a_run_without_a_bar_says_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = iter([0.0, 30.0, 60.0])
    monkeypatch.setattr(train_network.time, "monotonic", lambda: next(moments))
    live = train_network._Live(5)
    for epoch in (1.0, 2.0, 3.0):
        live("epoch", {"epoch": epoch, "loss": 1.0})
    lines = capsys.readouterr()
    said = (lines.out + lines.err).splitlines()
    assert said[0] == "epoch 1/5: loss 1.000"
    assert said[1] == "epoch 2/5: loss 1.000, about 2 min left"
    assert said[2] == "epoch 3/5: loss 1.000, about 1 min left"


def test_a_genre_called_unknown_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    for genre in ("rock", "Unknown"):
        (tmp_path / "music" / genre).mkdir(parents=True)
        (tmp_path / "music" / genre / "song.mp3").touch()
    for command in (("train",), ("train", "--arch", "lstm")):
        result = _tonearm(*command, tmp_path / "music", "--output", tmp_path / "run")
        assert "“Unknown” of music without one known genre" in str(result.exception)
        assert not result.output
