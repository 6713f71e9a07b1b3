"""The TOML of a network of one's own: every name and value of it is known, or is named."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the import extra is not installed")

from support import published

from tonearm.errors import ModelError
from tonearm.model.imports.make import Foreign, make
from tonearm.model.imports.metadata import read

GOOD = """
name = "mine"
licence = "MIT"
classes = ["polka", "drone"]
predictions = "activations"
embeddings = "embeddings"

[features]
sample_rate_hz = 16000
n_fft = 512
hop_samples = 256
mel_bands = 96
mel_low_hz = 0
mel_high_hz = 8000.0
window_frames = 128
scale = "log10"
"""


def made(text, data=None):
    return make(Foreign(data or published.effnet(2, 64), read(text.encode(), toml=True)))


def changed(line):
    """The TOML with another line in the place of the one of that name, or with one more."""
    name = line.partition(" =")[0]
    lines = GOOD.splitlines()
    same = [i for i, each in enumerate(lines) if each.startswith(f"{name} =")]
    if same:
        lines[same[0]] = line
    else:
        lines.insert(1, line)
    return "\n".join(lines)


def test_a_toml_that_fits_gives_embeddings_and_classes():
    model = made(GOOD)
    assert model.labels == ("polka", "drone") and model.head.dimensions == 64
    assert "mine: MIT" in model.notices
    assert "mine: MIT" in made(GOOD.replace("licence", "license")).notices
    # Without names, the classes serve as embeddings.
    bare = GOOD.replace('predictions = "activations"\nembeddings = "embeddings"\n', "")
    assert made(bare).head.dimensions == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('scale = "log"', "scale is 'log', but must be 'log10' or 'db'"),
        ('scale = "foo"', "scale is 'foo', but must be 'log10' or 'db'"),
        ("scale = 3", "scale is 3, but must be 'log10' or 'db'"),
        ("scale = []", r"scale is \[\], but must be"),
        ('mel_bands = "96"', "mel_bands is '96', but must be a whole number"),
        ("mel_bands = 96.5", r"mel_bands is 96\.5, but must be a whole number"),
        ("mel_bands = true", "mel_bands is True, but must be a whole number"),
        ("mel_bands = 0", "mel_bands is 0, but must be from 1 to 4096"),
        ("mel_bands = 64", "takes windows of mel_bands = 96, but its metadata says 64"),
        ("window_frames = 64", "takes windows of window_frames = 128, but its metadata says 64"),
        ("window_frames = -1", "window_frames is -1, but must be from 1"),
        ("n_fft = 1000000000000", "n_fft is 1000000000000, but must be from 16"),
        ("sample_rate_hz = 99999999999", "sample_rate_hz is 99999999999, but must be from"),
        ("hop_samples = 1", r"would be 0\.008 s long"),
        ("mel_low_hz = nan", "the mel range nan-8000.0 Hz does not fit"),
        ("mel_low_hz = false", "mel_low_hz is False, but must be a number"),
        ("mel_high_hz = inf", "does not fit audio at 16000 Hz"),
        ("mel_high_hz = 1979-05-27", "mel_high_hz is datetime.*, but must be a number"),
        ('predictions = "nope"', "predictions is 'nope', but the network has activations, embed"),
        ('embeddings = "nope"', "embeddings is 'nope', but the network has activations, embed"),
        ('embeddings = "activations"', "leave out the line of embeddings"),
        ('predictions = "embeddings"', r"2 classes are named, but its outputs are embeddings"),
        ('predictions = ["activations"]', "predictions that is not a text"),
        ('prediction = "activations"', r"has prediction, which .* \(did you mean predictions\?\)"),
        ('zzz = "1"', r"has zzz, which Tonearm does not know \(known are name, classes"),
        ('license = "MIT"', "has licence and license: leave out one"),
        ("licence = 3", "licence that is not a text"),
        ('author = ["a"]', "author that is not a text"),
        ("name = 3", "name that is not a text"),
        ('classes = "polka"', "classes that is not a list"),
        ('classes = ["polka"]', "1 class is named"),
        ('classes = ["polka", " "]', "classes that are not names"),
    ],
)
def test_what_does_not_fit_is_named(line, words):
    with pytest.raises(ModelError, match=words):
        made(changed(line))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("hop_samples", "hop_sample", r"hop_sample \(known are sample_rate_hz, "),
        ("window_frames = 128\n", "", "its front end lacks window_frames"),
        ('scale = "log10"', 'symmetric_window = "no"\nscale = "db"', "must be true or false"),
        (GOOD[GOOD.index("[features]") :], "features = 3", "features that is not a table"),
        (GOOD[GOOD.index("[features]") :], "", r"has no \[features\]"),
        (GOOD, "= 3", "is not TOML"),
    ],
)
def test_what_is_lacking_or_misspelt_is_named(old, new, words):
    assert old in GOOD
    with pytest.raises(ModelError, match=words):
        made(GOOD.replace(old, new))


def test_windows_of_a_network_that_names_no_sizes_are_the_tomls_fault():
    """Its shapes are seen only when it runs."""
    nodes = [
        ("ReduceMean", ["x"], "mean", {"axes": [1], "keepdims": 0}),
        ("MatMul", ["mean", "w"], "scores", {}),
        ("Sigmoid", ["scores"], "p", {}),
    ]
    weight = np.ones((40, 2), dtype=np.float32)
    data = published.onnx_of(
        nodes, {"w": weight}, given=("x", ["n", "f", "b"]), outputs=[("p", ["n", 2])]
    )
    bare = GOOD.replace('predictions = "activations"\nembeddings = "embeddings"\n', "")
    with pytest.raises(ModelError) as refused:
        made(bare, data)
    assert "128 frames and 96 bands, as its metadata says" in str(refused.value)
    assert "report" not in str(refused.value)
    made(bare.replace("mel_bands = 96", "mel_bands = 40"), data)
