"""Networks of others: what is imported, by every command, and what is refused."""

import hashlib
import json
import sqlite3

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the import extra is not installed")

from onnx import TensorProto, helper, load_model_from_string
from support import published
from support.fakes import HIGH_HZ, LOW_HZ
from support.songs import rows, song
from support.sounds import tone

from tonearm.errors import ModelError
from tonearm.features import MUSICNN_SPEC, log_mel
from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier
from tonearm.model.imports import fetch
from tonearm.model.imports.graph import Graph
from tonearm.model.imports.layers import chain
from tonearm.model.imports.make import Foreign, genres_of, make
from tonearm.model.imports.metadata import read
from tonearm.model.network import onnx_session

RATE_HZ = 16_000


def foreign(data, values):
    return Foreign(data, read(json.dumps(values).encode(), toml=False))


@pytest.fixture(scope="module")
def effnet():
    return published.effnet()


@pytest.fixture(scope="module")
def model(effnet):
    return make(foreign(effnet, published.effnet_metadata()))


@pytest.fixture(scope="module")
def imported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("imported") / "effnet.tonearm"
    model_file.save(model, path)
    return path


def test_the_model_gives_the_numbers_of_the_network(model, effnet):
    """Embeddings and activations as the network itself gives them."""
    windows = np.random.default_rng(1).uniform(0, 4, (5, 128, 96)).astype(np.float32)
    activations, embeddings = onnx_session(effnet).run(None, {"melspectrogram": windows})
    (ours,) = onnx_session(model.encoder).run(None, {"features": windows})
    np.testing.assert_array_equal(ours, embeddings)
    np.testing.assert_allclose(model.head.activations(ours), activations, atol=1e-5)
    assert len(model.encoder) < len(effnet)  # without the layers behind the embedding


def test_genres_and_styles_of_the_classes(model):
    assert model.labels == ("blues", "hiphop", "Folk World & Country", "jazz", "rock")
    assert model.head.dimensions == 1280
    low = Classifier(model).predict(tone(LOW_HZ, 8, RATE_HZ), RATE_HZ)
    assert low.genre == "blues"
    assert list(low.styles) in (["Boogie Woogie", "Delta Blues"], ["Delta Blues", "Boogie Woogie"])
    assert Classifier(model).predict(tone(HIGH_HZ, 8, RATE_HZ), RATE_HZ).genre == "rock"


def test_where_nothing_stands_out_it_is_unknown(model):
    quiet = np.zeros((3, 1280), dtype=np.float32)  # all activations are sigmoid(-6)
    output = model.head.classify(quiet)
    assert not output.known and output.unknown > 0.9
    each = model.head.classify_each(quiet)
    np.testing.assert_allclose(each.sum(axis=1), 1)
    assert (each[:, -1] > 0.9).all()


def test_a_head_behind_an_encoder(effnet):
    """mtg_jamendo_genre's shape: two layers and a normalisation, folded."""
    data = published.genre_head()
    made = make(
        foreign(effnet, published.effnet_metadata()),
        foreign(data, published.genre_head_metadata()),
    )
    assert len(made.labels) == 87 and made.head.dimensions == 1280
    embeddings = np.random.default_rng(2).normal(0, 1, (4, 1280)).astype(np.float32)
    (theirs,) = onnx_session(data).run(None, {"model/Placeholder": embeddings})
    np.testing.assert_allclose(made.head.activations(embeddings), theirs, atol=1e-5)
    assert made.head.styles(embeddings, "jazz") == {}


def test_any_network_with_a_front_end_of_its_own(tmp_path, tonearm):
    """By a TOML; its predictions are the embedding, and its classes the names."""
    nodes = [
        ("ReduceMax", ["mel"], "loudest", {"axes": [1], "keepdims": 0}),
        ("MatMul", ["loudest", "w"], "scores", {}),
        ("Softmax", ["scores"], "p", {"axis": -1}),
    ]
    weight = np.kron(np.eye(2), np.ones((20, 1))).astype(np.float32) / 20
    data = published.onnx_of(
        nodes, {"w": weight}, given=("mel", ["n", 50, 40]), outputs=[("p", ["n", 2])]
    )
    (tmp_path / "net.onnx").write_bytes(data)
    (tmp_path / "net.toml").write_text(
        'name = "two thirds"\nlicence = "MIT"\nclasses = ["polka", "drone"]\n'
        "[features]\nsample_rate_hz = 8000\nn_fft = 256\nhop_samples = 160\nmel_bands = 40\n"
        'mel_low_hz = 0.0\nmel_high_hz = 4000.0\nwindow_frames = 50\nscale = "db"\n'
    )
    path = tmp_path / "net.tonearm"
    ended = tonearm(
        *("models", "import", tmp_path / "net.onnx", "-m", tmp_path / "net.toml"),
        *("--accept-licence", "-o", path),
    )
    assert ended.code == 0, ended.err
    (low,) = rows(tonearm("predict", song(tmp_path / "a.wav"), "--model", path, "-f", "jsonl"))
    assert low["genre"] == "polka"
    tags = tonearm("predict", tmp_path / "a.wav", "--tags", "--model", path, "-f", "jsonl")
    assert set(rows(tags)[0]["tags"]) == {"polka", "drone"}

    # Scores alone would be "100 %" of whatever is strongest.
    scores = published.onnx_of(
        nodes[:2], {"w": weight}, given=("mel", ["n", 50, 40]), outputs=[("scores", ["n", 2])]
    )
    (tmp_path / "net.onnx").write_bytes(scores)
    ended = tonearm(
        *("models", "import", tmp_path / "net.onnx", "-m", tmp_path / "net.toml"),
        *("--accept-licence", "-o", tmp_path / "scores.tonearm"),
    )
    assert ended.code == 2 and "end the network with a sigmoid or a softmax" in ended.err
    (tmp_path / "net.toml").write_text(
        (tmp_path / "net.toml").read_text().replace("scale", "scael")
    )
    ended = tonearm("models", "import", tmp_path / "net.onnx", "-m", tmp_path / "net.toml")
    assert ended.code == 2 and "does not know: scael (known are " in ended.err


def test_the_licence_comes_first_and_stays_inside(tmp_path, tonearm, effnet):
    path = published.write(tmp_path, "effnet", effnet, published.effnet_metadata())
    asked = tonearm("models", "import", path, "-o", tmp_path / "out.tonearm")
    assert "licence: CC BY-NC-SA 4.0" in asked.out and "--accept-licence" in asked.err
    assert not (tmp_path / "out.tonearm").exists()
    ended = tonearm("models", "import", path, "-o", tmp_path / "out.tonearm", "--accept-licence")
    assert ended.code == 0, ended.err
    path.with_suffix(".json").unlink()
    alone = tonearm("models", "import", path).err
    assert "cannot be read" in alone and "--metadata" in alone
    assert ended.out.index("licence:") < ended.out.index("out.tonearm")
    assert "CC BY-NC-SA 4.0" in model_file.load(tmp_path / "out.tonearm").notices
    listed = tonearm("models", tmp_path)
    assert "made-up effnet, 5 genres" in listed.out


def test_every_command_takes_it(tmp_path, tonearm, imported, music):
    """predict, scan, list, tag, train on it, evaluate next to the built-in model."""
    library = tmp_path / "library.sqlite"
    ended = tonearm("scan", music, "--model", imported, "--library", library, "--jobs", "1")
    assert ended.code == 0, ended.err
    with sqlite3.connect(library) as opened:
        stored = opened.execute("SELECT windows, length(values_f16) FROM embeddings").fetchall()
    # Half precision: 2,560 bytes a window.
    assert len(stored) == 3
    assert all(size == 2 * 1280 * windows for windows, size in stored)
    listed = json.loads(tonearm("list", "--library", library, "--format", "json").out)
    assert [row["genre"] for row in listed["files"]][:2] == ["blues", "rock"]
    near = tonearm("similar", music / "a low.wav", "--library", library, "--model", imported)
    assert near.code == 0 and "b high.wav" in near.out
    plan = tonearm("tag", "--library", library, "--min-confidence", "0.1", "--details")
    assert "Blues" in plan.out and "Rock" in plan.out
    timeline = tonearm("predict", music, "--timeline", "--model", imported, "--format", "jsonl")
    assert [row["timeline"][0]["genre"] for row in rows(timeline)][:2] == ["blues", "rock"]
    refused = tonearm("explain", music / "a low.wav", "--model", imported)
    assert refused.code == 2 and "this model has no tags to explain a genre with" in refused.err
    with pytest.raises(ModelError, match="this model has no tags to explain a genre with"):
        Classifier.load(imported).explain(music / "a low.wav")


def test_what_would_answer_otherwise_elsewhere_is_refused(tmp_path, tonearm, imported):
    ended = tonearm("models", "export", imported, "-o", tmp_path / "out")
    assert ended.code == 2 and "imported from a published network" in ended.err
    assert not (tmp_path / "out").exists()


def test_train_fits_a_head_on_it_and_evaluate_compares(tmp_path, tonearm):
    """Of a smaller shape: a head over 1,280 numbers takes 17 s of computing."""
    imported, data = tmp_path / "small.tonearm", tmp_path / "data"
    values = published.effnet_metadata(published.discogs_classes(20))
    values["schema"]["outputs"][1]["shape"] = ["batch", 96]
    model_file.save(make(foreign(published.effnet(20, 96), values)), imported)
    for genre, hz in (("blues", LOW_HZ), ("rock", HIGH_HZ)):
        for i in range(4):
            song(data / genre / f"{i}.wav", hz + 40 * i)
    ended = tonearm("train", data, "--model", imported, "-o", tmp_path / "run", "--jobs", "1")
    assert ended.code == 0, ended.err
    trained = model_file.load(tmp_path / "run" / "model.tonearm")
    assert trained.head.dimensions == 96 and "CC BY-NC-SA" in trained.notices
    low, high = tone(LOW_HZ + 13, 5, RATE_HZ), tone(HIGH_HZ - 9, 5, RATE_HZ)
    said = [Classifier(trained).predict(sound, RATE_HZ).genre for sound in (low, high)]
    assert said == ["blues", "rock"]
    compared = tonearm(
        *("evaluate", imported, data, "--compare", "built-in", "--format", "json", "--jobs", "1")
    )
    assert compared.code == 0, compared.err
    assert [len(each["labels"]) for each in json.loads(compared.out)["models"]] == [5, 11]


def _refused(data, message):
    with pytest.raises(ModelError, match=message):
        Graph(data)


def test_graphs_that_could_do_harm_are_refused(tmp_path):
    good = load_model_from_string(published.effnet(4, 8))
    external = load_model_from_string(good.SerializeToString())
    tensor = external.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    _refused(external.SerializeToString(), "numbers in other files")

    nodes = [("Foreign", ["x"], "y", {})]
    shape = {"given": ("x", ["n", 1, 1]), "outputs": [("y", ["n", 1])]}
    _refused(published.onnx_of(nodes, {}, domain="evil.code", **shape), "evil.code")

    body = helper.make_graph([], "body", [], [])
    looping = load_model_from_string(good.SerializeToString())
    looping.graph.node.append(helper.make_node("Loop", ["", ""], ["z"], body=body))
    _refused(looping.SerializeToString(), "Loop")

    bomb = load_model_from_string(good.SerializeToString())
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [3], [1 << 20, 1 << 10, 1 << 10])
    bomb.graph.initializer.append(sizes)
    bomb.graph.node.append(helper.make_node("ConstantOfShape", ["sizes"], ["huge"]))
    _refused(bomb.SerializeToString(), "more than a window may use")

    functions = load_model_from_string(good.SerializeToString())
    functions.functions.add().name = "f"
    _refused(functions.SerializeToString(), "functions")
    _refused(b"\x08\x01not a network", "not an ONNX network")


def test_a_graph_that_swallows_memory_at_run_time_costs_a_sentence():
    """Sizes that depend on the input are not known before it runs: it runs in a worker."""
    nodes = [
        ("ReduceSum", ["x"], "sum", {"keepdims": 0}),
        ("Mul", ["sum", "zero"], "none", {}),
        ("Add", ["none", "many"], "count", {}),
        ("Cast", ["count"], "whole", {"to": TensorProto.INT64}),
        ("Range", ["start", "whole", "step"], "huge", {}),
        ("Cast", ["huge"], "floats", {"to": TensorProto.FLOAT}),
        ("ReduceMean", ["floats"], "mean", {"keepdims": 0}),
        ("ReduceMean", ["x"], "rows", {"axes": [1], "keepdims": 0}),
        ("Add", ["rows", "mean"], "y", {}),
    ]
    constants = {
        "zero": np.float32(0),
        "many": np.float32(2**36),
        "start": np.int64(0),
        "step": np.int64(1),
    }
    data = published.onnx_of(
        nodes, constants, given=("x", ["n", 128, 96]), outputs=[("y", ["n", 96])]
    )
    values = published.effnet_metadata([f"A---{i}" for i in range(95)] + ["B"])
    values["schema"]["outputs"] = []
    with pytest.raises(ModelError, match="the network failed on 1 window:"):
        make(foreign(data, values))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inference": {"algorithm": "TensorflowPredictMAEST"}}, "Describe another in a TOML"),
        ({"inference": {"algorithm": "TensorflowPredictMusiCNN", "sample_rate": 44100}}, "44100"),
        ({"classes": ["a", "a"]}, "twice"),
        ({"classes": [1, 2]}, "not names"),
        ({"name": ["x"]}, "name that is not a text"),
        ({"inference": 3}, "inference that is not a table"),
    ],
)
def test_metadata_that_does_not_fit_is_a_sentence(changes, message):
    with pytest.raises(ModelError, match=message):
        foreign(b"", published.effnet_metadata(**changes))


def test_classes_and_network_must_fit(effnet):
    with pytest.raises(ModelError, match="3 classes are named"):
        make(foreign(effnet, published.effnet_metadata(["a", "b", "c"])))
    head = foreign(published.genre_head(size=100), published.genre_head_metadata())
    with pytest.raises(ModelError, match="must give 100 numbers"):
        make(foreign(effnet, published.effnet_metadata()), head)
    with pytest.raises(ModelError, match="no front end"):
        make(head)


def test_only_dense_layers_are_a_chain():
    nodes = [("MatMul", ["x", "w"], "a", {}), ("Sin", ["a"], "y", {})]
    data = published.onnx_of(
        nodes, {"w": np.eye(3, dtype=np.float32)}, given=("x", ["n", 3]), outputs=[("y", ["n", 3])]
    )
    assert chain(Graph(data), "x", "y") is None
    assert len(chain(Graph(data), "x", "a")) == 1


def test_the_front_end_is_that_of_essentia():
    standard = pytest.importorskip("essentia.standard", reason="essentia is not installed")
    seconds = np.arange(3 * RATE_HZ) / RATE_HZ
    sweep = 0.2 * np.sin(2 * np.pi * 3_000 * seconds * (1 + seconds / 10))
    noise = np.random.default_rng(0).normal(0, 0.1, len(seconds))
    samples = (sweep + noise).astype(np.float32)
    front_end = standard.TensorflowInputMusiCNN()
    frames = standard.FrameGenerator(samples, frameSize=512, hopSize=256)
    theirs = np.array([front_end(frame) for frame in frames])
    ours = log_mel(samples, read_spec())
    # Essentia may have a last frame more, of what lies behind the end.
    assert 0 <= len(theirs) - len(ours) <= 1
    assert np.abs(ours - theirs[: len(ours)]).max() < 1e-3


def read_spec():
    metadata = read(json.dumps(published.effnet_metadata()).encode(), toml=False)
    return metadata.features


def test_the_window_is_kept_with_the_model(model, imported):
    """And one that is as usual is not written down, so that no checksum changes."""
    assert model_file.load(imported).features.symmetric_window
    assert "symmetric_window" not in MUSICNN_SPEC.to_dict()
    assert _hann_sum(read_spec()) != _hann_sum(MUSICNN_SPEC)


def _hann_sum(spec):
    return float(log_mel(np.ones(512, dtype=np.float32), spec, centre=False).sum())


def test_genres_of_classes():
    assert genres_of(["Jazz---Bop", "Funk / Soul---Disco", "jazz"]) == (
        ["jazz", "Funk & Soul"],
        [0, 1, 0],
    )
    with pytest.raises(ModelError, match="1 genre, but two or more"):
        genres_of(["Jazz---Bop", "Jazz"])


def test_a_url_needs_its_checksum(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="is not an https address"):
        fetch.read("http://example.org/a.onnx", largest=10)
    with pytest.raises(ModelError, match="give --sha256"):
        fetch.read("https://example.org/a.onnx", largest=10)
    monkeypatch.setattr(
        fetch.urllib.request, "urlopen", lambda *_, **__: (tmp_path / "a").open("rb")
    )
    (tmp_path / "a").write_bytes(b"weights")
    right = hashlib.sha256(b"weights").hexdigest()
    assert fetch.read("https://example.org/a", largest=10, sha256=[right]) == b"weights"
    with pytest.raises(ModelError, match="is not the file that --sha256 names"):
        fetch.read("https://example.org/a", largest=10, sha256=["0" * 64])
    with pytest.raises(ModelError, match="larger than"):
        fetch.read("https://example.org/a", largest=3, sha256=[right])
