"""Settings of a network by name: checked, applied, and kept so that they repeat the run."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tonearm import nets
from tonearm.errors import DatasetError
from tonearm.training import settings

CNN = nets.get("cnn")


def checked(*given: str, model: nets.Architecture = CNN) -> settings.Settings:
    return settings.check(settings.read(given), model)


def test_each_kind_of_setting_reaches_what_it_sets() -> None:
    made = checked("lr=1e-4", "batch=8", "width=24", "window_s=5", "mel_bands=64", "patience=3")
    assert made.front_end == {"mel_bands": 64} and made.spec().mel_bands == 64
    assert made.run.patience == 3
    model = settings.applied(CNN, made.network)
    assert (model.recipe.lr, model.recipe.batch, model.config.width) == (1e-4, 8, 24)
    assert model.window_s == 5.0
    assert (model.recipe.mixup, model.config.stages) == (CNN.recipe.mixup, CNN.config.stages)


def test_lists_become_the_tuples_of_a_config() -> None:
    gabor = nets.get("gabor")
    made = checked("rates_hz=[0.5, 1, 2]", "rate_strides=[8, 5, 3]", model=gabor)
    assert settings.applied(gabor, made.network).config.rates_hz == (0.5, 1.0, 2.0)


def test_the_mel_range_follows_the_sample_rate() -> None:
    assert checked("sample_rate_hz=16000").spec().mel_high_hz == 8_000
    assert checked("sample_rate_hz=44100").spec().mel_high_hz == 11_025
    with pytest.raises(DatasetError, match=r"0\.0-9000\.0 Hz does not fit audio at 16000 Hz"):
        checked("sample_rate_hz=16000", "mel_high_hz=9000")


def test_later_settings_count_over_those_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('batch = 4\n[recipe]\nlr = 0.5\nschedule = "constant"\n')
    made = checked(str(path), "lr=0.25").network
    assert made == {"batch": 4, "lr": 0.25, "schedule": "constant"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("widht=3", "no setting 'widht' of cnn: did you mean width?"),
        ("learning_rate=3", "did you mean lr?"),
        ("n_mels=3", "did you mean mel_bands?"),
        ("epochs=3", "no setting 'epochs' of cnn"),
        ("lr=fast", "lr=fast: a number is needed"),
        ("lr=-1", "lr -1.0 is impossible: above 0"),
        ("ema=1", "ema 1.0 is impossible: 0 or more, below 1"),
        ("batch=1.5", "batch=1.5: a whole number is needed"),
        ("batch=true", "batch=True: a number is needed"),
        ("tensorboard=1", "tensorboard=1: true or false is needed"),
        ("crops=all", "crops=all: one of excerpts, random is needed"),
        ("precision=half", "one of 32-true, bf16-mixed, 16-mixed"),
        ("folds=1", "folds=1 holds nothing out"),
        ("window_s=0", "window_s=0.0: more than 0, and at most 3600 is needed"),
        ("window_s=1e6", "at most 3600 is needed"),
        ("lr=nan", "lr=nan: a number of at most 1,000,000,000 is needed"),
        ("lr=inf", "lr=inf: a number of at most 1,000,000,000 is needed"),
        ("lr=1e30", "a number of at most 1,000,000,000 is needed"),
        ("batch=1" + 400 * "0", "a number of at most 1,000,000,000 is needed"),
        ("lr={a=1}", "a number is needed"),
        ("lr=" + 3000 * "[", "a number is needed"),
        ("width", "write NAME=VALUE, or name a .toml file"),
        ("none.toml", r"none\.toml cannot be read: No such file"),
    ],
)
def test_what_does_not_fit_is_named(given: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        checked(given)


def test_a_file_that_names_a_setting_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("lr = 1.0\n[recipe]\nlr = 0.5\n")
    with pytest.raises(DatasetError, match=r"mine\.toml sets lr twice"):
        checked(str(path))
    path.write_text("lr = " + "[" * 5_000)
    with pytest.raises(DatasetError, match=r"mine\.toml is not TOML"):
        checked(str(path))


def test_files_that_are_no_toml_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("lr: 3\n")
    with pytest.raises(DatasetError, match=r"bad\.toml is not TOML"):
        checked(str(path))


def test_early_stopping_may_not_choose_on_what_folds_measure() -> None:
    with pytest.raises(DatasetError, match="patience would choose the epoch by the tracks"):
        checked("folds=3", "patience=2")


def test_a_closed_form_has_no_learning_rate() -> None:
    with pytest.raises(DatasetError, match="no setting 'lr' of gabor"):
        checked("lr=0.1", model=nets.get("gabor"))
    checked("batch=4", "shrinkage=0.5", model=nets.get("gabor"))


@pytest.mark.parametrize("name", ["lstm", "gabor", "cnn"])
def test_the_file_that_is_kept_repeats_every_setting(name: str, tmp_path: Path) -> None:
    model = nets.get(name)
    every = settings.known(model) | {"window_s": 4.5, "precision": "bf16-mixed"}
    path = tmp_path / "settings.toml"
    path.write_text(settings.to_toml(every, comment="of a run\ntonearm train"))
    again = settings.check(settings.read([str(path)]), model)
    applied = settings.applied(model, again.network)
    assert applied == settings.applied(model, {"window_s": 4.5})
    assert again.run.precision == "bf16-mixed"
