"""A model file from a foreign network: which tensor is the embedding, and what classifies it.

Three cases. A network that gives embeddings and predictions, with dense layers between: the layers
become the head. A second network of dense layers over the embeddings of the first: the same. Any
other network: its predictions are the embedding, and the head takes them as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import __version__
from tonearm.errors import ModelError, counted
from tonearm.features import FeatureSpec
from tonearm.genres import BUILTIN_GENRES, find, unsplit
from tonearm.model.file import Model
from tonearm.model.imports.graph import Graph, Port
from tonearm.model.imports.layers import chain
from tonearm.model.imports.metadata import Metadata
from tonearm.model.multi_label import SEPARATOR, Layer, MultiLabelHead
from tonearm.workers import Caller, Failure, Pool, Work, in_order

Float32 = NDArray[np.float32]

# Half a minute of a song, as the networks' own examples read.
_SECONDS = 30.0
# Windows of noise that the network must take, alone and together.
_TRIED = (1, 3)
_PARITY = 1e-3
_WINDOW_S = (0.05, 300.0)


@dataclass(frozen=True)
class Foreign:
    """A network and what its author says of it."""

    data: bytes
    metadata: Metadata


def make(network: Foreign, head: Foreign | None = None) -> Model:
    """Make a model of a network, or of an encoder and a network over its embeddings.

    Parameters
    ----------
    network : Foreign
        From spectrograms.
    head : Foreign or None
        From the embeddings of ``network`` to classes.

    Raises
    ------
    ModelError
        When they do not fit each other or Tonearm, or a graph could do harm.
    """
    spec = network.metadata.features
    if spec is None:
        lacks = "no [features]" if network.metadata.by_person else "no front end"
        raise ModelError(f"{network.metadata.name} has {lacks}: give the encoder before it as well")
    graph = Graph(network.data)
    # An encoder of samples, not of spectrograms, would need a front end that Tonearm has not.
    if len(graph.inputs) != 1 or len(graph.inputs[0].shape) != 3:
        shapes = ", ".join(str(each.shape) for each in graph.inputs)
        raise ModelError(
            f"{network.metadata.name} takes {shapes}; it must take one input [windows, frames, "
            "bands]"
        )
    _refuse_other_windows(graph.inputs[0], spec, network.metadata)
    # The network is cut at the embedding: what lies behind it becomes arrays, so that another head
    # can take its place.
    output, layers, metadata = _parts(graph, network.metadata, head)
    classes = metadata.classes
    labels, members = genres_of(classes)
    # Where the network itself gives predictions, those of the layers are compared with them.
    compared = (_predictions(graph, metadata),) if layers and head is None else ()
    # Before a model file is made: what fails here would fail for every song.
    _try(network.data, graph.inputs[0].name, (output, *compared), spec, layers)
    source = [network.metadata, *([head.metadata] if head else [])]
    return Model(
        name=metadata.name,
        features=spec,
        encoder=graph.cut(output=output),
        head=MultiLabelHead.of(layers, classes, labels=labels, members=members),
        # Without layers the embedding is the classes, which are worth their names.
        embedding_names=None if layers else classes,
        windows_per_track=max(1, round(_SECONDS / spec.window_s)),
        training={"data": f"by others: {metadata.name}", "imported": [_facts(m) for m in source]},
        notices=notices(source),
    )


def genres_of(classes: Sequence[str]) -> tuple[list[str], list[int]]:
    """Genres in the order of their first class, and for each class the place of its genre.

    Parameters
    ----------
    classes : sequence of str
        ``Genre---Style`` or ``Genre``.

    Examples
    --------
    >>> genres_of(["Jazz---Bop", "Hip Hop---Trap", "Jazz---Swing"])
    (['jazz', 'hiphop'], [0, 1, 0])
    """
    labels: list[str] = []
    members = []
    for name in classes:
        label = label_of(name.partition(SEPARATOR)[0])
        # Two spellings of one genre become one: Hip Hop and Hip-Hop are both hiphop.
        if label not in labels:
            labels.append(label)
        members.append(labels.index(label))
    if len(labels) < 2:
        raise ModelError(
            f"the network names {counted(len(labels), 'genre')}, but two or more are needed"
        )
    return labels, members


def label_of(genre: str) -> str:
    """Tonearm's name where it knows the genre; else the given one, which no player will split.

    Parameters
    ----------
    genre : str
        As the foreign model has it.

    Examples
    --------
    >>> label_of("Hip Hop"), label_of("Folk, World, & Country"), label_of("Funk / Soul")
    ('hiphop', 'Folk World & Country', 'Funk & Soul')
    """
    if known := find(genre, BUILTIN_GENRES):
        return known
    # Players would split `Funk / Soul` into two genres.
    return " ".join(unsplit(genre.replace("/", "&")).split())


def notices(sources: Sequence[Metadata]) -> str:
    """What must travel with the model: whose it is, and under which licence.

    Parameters
    ----------
    sources : sequence of Metadata
        Of each network that goes into the model.
    """
    parts = [f"Imported by Tonearm {__version__} from networks by others."]
    for source in sources:
        lines = [f"{source.name}: {source.licence or 'its metadata states no licence'}"]
        lines += [f"  {name}: {text}" for name, text in source.about.items()]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _facts(metadata: Metadata) -> dict[str, Any]:
    return {"name": metadata.name, "licence": metadata.licence, **metadata.about}


def _refuse_other_windows(given: Port, spec: FeatureSpec, metadata: Metadata) -> None:
    """Refuse a front end whose windows the network does not take, or that nobody could mean."""
    shortest_s, longest_s = _WINDOW_S
    if not shortest_s <= spec.window_s <= longest_s:
        raise ModelError(
            f"a window of {metadata.name} would be {spec.window_s:.3g} s long, but must have from "
            f"{shortest_s:g} to {longest_s:g} s"
        )
    for size, wanted, setting in zip(
        given.shape[1:],
        (spec.window_frames, spec.mel_bands),
        ("window_frames", "mel_bands"),
        strict=True,
    ):
        # None may be any size.
        if size not in (None, wanted):
            raise ModelError(
                f"{metadata.name} takes windows of {setting} = {size}, but its metadata says "
                f"{wanted}"
            )


def _refuse_other_outputs(graph: Graph, metadata: Metadata) -> None:
    """Refuse names of outputs that the graph has not, where a person wrote them."""
    if not metadata.by_person:
        return
    known = [port.name for port in graph.outputs]
    for each in metadata.outputs:
        if each.name not in known:
            has = ", ".join(known)
            raise ModelError(f"{each.purpose} is {each.name!r}, but the network has {has}")


def _parts(
    graph: Graph, metadata: Metadata, head: Foreign | None
) -> tuple[str, tuple[Layer, ...], Metadata]:
    """The tensor that is the embedding, the layers behind it, and who names the classes."""
    _refuse_other_outputs(graph, metadata)
    if head is not None:
        second = Graph(head.data)
        _refuse_other_outputs(second, head.metadata)
        if head.metadata.by_person and head.metadata.features is not None:
            raise ModelError(f"{head.metadata.name} takes embeddings: leave out its [features]")
        if len(second.inputs) != 1:
            raise ModelError(f"{head.metadata.name} takes {len(second.inputs)} inputs, not one")
        target = _predictions(second, head.metadata)
        layers = chain(second, second.inputs[0].name, target)
        if layers is None:
            raise ModelError(
                f"{head.metadata.name} has layers that are not dense, but Tonearm takes only "
                "dense layers after an encoder"
            )
        # By size: converters rename tensors, but the layers fit one width alone.
        size = len(layers[0].weight)
        return _of_size(graph, size, metadata, "embeddings"), layers, head.metadata
    if not metadata.classes:
        raise ModelError(
            f"{metadata.name} names no classes: also give the network that "
            "classifies its embeddings"
        )
    predictions = _predictions(graph, metadata)
    stated = metadata.output("embeddings")
    if stated is not None:
        # Metadata may name an embedding that cannot be followed to the predictions: then the
        # classes are the embedding.
        source = _find(graph.outputs, stated.name, stated.size)
        layers = chain(graph, source.name, predictions) if source else None
        if source is not None and layers:
            return source.name, layers, metadata
        if metadata.by_person:
            raise ModelError(
                f"only dense layers may lie between its embeddings ({stated.name}) and its "
                f"predictions ({predictions}): leave out the line of embeddings, and its classes "
                "serve as embeddings"
            )
    # Without layers no other head can be trained on it, but it predicts as it is.
    return predictions, (), metadata


def _predictions(graph: Graph, metadata: Metadata) -> str:
    """The output that has a number for each class."""
    classes, ports = metadata.classes, graph.outputs
    stated = metadata.output("predictions")
    if stated and metadata.by_person:
        ports = [port for port in ports if port.name == stated.name]
    fitting = [port for port in ports if port.shape[-1:] == (len(classes),)]
    if len(fitting) != 1:
        shapes = ", ".join(f"{port.name} {list(port.shape)}" for port in ports)
        which = ": name one of them as predictions" if fitting else ""
        raise ModelError(
            f"{counted(len(classes), 'class is', 'classes are')} named, but its outputs are "
            f"{shapes}{which}"
        )
    return fitting[0].name


def _of_size(graph: Graph, size: int, metadata: Metadata, purpose: str) -> str:
    stated = metadata.output(purpose)
    by_name = stated is not None and metadata.by_person
    name = stated.name if stated else ""
    found = _find([p for p in graph.outputs if p.name == name or not by_name], name, size)
    if found is None:
        shapes = ", ".join(f"{port.name} {list(port.shape)}" for port in graph.outputs)
        raise ModelError(f"{metadata.name} must give {size} numbers, but gives {shapes}")
    return found.name


def _find(ports: Sequence[Port], name: str, size: int | None) -> Port | None:
    """By name, or where a converter changed it, the one output of that size."""
    fitting = [port for port in ports if size is None or port.shape[-1:] == (size,)]
    named = [port for port in fitting if port.name == name]
    return named[0] if named else (fitting[0] if len(fitting) == 1 else None)


def _try(
    data: bytes, given: str, tensors: Sequence[str], spec: FeatureSpec, layers: tuple[Layer, ...]
) -> None:
    """Run the network once in a process of its own, which may die of it; compare the layers."""
    with Pool(1, make_work=partial(_make_trial, data, given, tuple(tensors), spec)) as pool:
        outcomes = list(in_order(pool, list(_TRIED)))
    for count, outcome in zip(_TRIED, outcomes, strict=True):
        if isinstance(outcome.value, Failure):
            raise ModelError(
                f"the network failed on {counted(count, 'window')}: {outcome.value.reason} (of "
                f"{spec.window_frames} frames and {spec.mel_bands} bands, as its metadata says)"
            )
        # With several numbers of windows, since a fixed batch size shows only then.
        embeddings, *predictions = outcome.value
        if embeddings.shape[0] != count or embeddings.ndim != 2:
            raise ModelError(
                f"{counted(count, 'window')} gave embeddings of shape {embeddings.shape}"
            )
        if not all(np.isfinite(each).all() for each in outcome.value):
            raise ModelError("the network gives values that are not numbers")
        values: NDArray[Any] = embeddings
        for layer in layers:
            values = layer(values)
        low, high = float(values.min()), float(values.max())
        if low < -_PARITY or high > 1 + _PARITY:
            # Logits would be taken for probabilities: the strongest would be "100 %" of every song.
            raise ModelError(
                f"its predictions reach from {low:.2g} to {high:.2g} but must be 0 to 1: end the "
                "network with a sigmoid or a softmax"
            )
        # Layers that were read out wrongly would give plausible genres: only numbers show it.
        if predictions and (most := float(np.abs(values - predictions[0]).max())) > _PARITY:
            raise ModelError(f"predictions of its layers and of the network differ by {most:g}")


def _make_trial(data: bytes, given: str, tensors: tuple[str, ...], spec: FeatureSpec) -> Work:
    """In a worker: a function that runs the network on so many windows of noise."""
    from tonearm.model.network import onnx_session

    session = onnx_session(data)

    def work(count: int, _caller: Caller) -> list[Float32] | Failure:
        shape = (count, spec.window_frames, spec.mel_bands)
        # Uniform over the range of log-mel levels; the same numbers at each try.
        noise = np.random.default_rng(0).uniform(0, 4, shape).astype(np.float32)
        try:
            return [np.asarray(each) for each in session.run(list(tensors), {given: noise})]
        except MemoryError:
            raise
        # onnxruntime's own kinds share no base; it is the network's fault, not Tonearm's.
        except Exception as error:
            return Failure("internal", " ".join(str(error).split())[:300])

    return work
