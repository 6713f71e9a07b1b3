"""The model file: one zip with everything that encoding and classifying need.

Members (stored, not compressed, dates fixed: the same model is the same bytes):

- ``manifest.json``: format, labels, front end, names of the embedding, training split and its hash,
  metrics, and the SHA-256 of every other member;
- ``encoder.onnx``: log-mel windows in, one embedding a window out;
- ``texture.onnx``, where there is a second encoder: log-mel windows in, their texture out;
- ``head.npz``: the arrays of the head (plain arrays; pickled ones are refused);
- ``NOTICE.txt``: licences of what the model was made from.

The zip's comment holds the manifest's own SHA-256, so that every byte in use is checked on load.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tonearm.errors import ModelError
from tonearm.features import FeatureSpec
from tonearm.files import write_atomically
from tonearm.model.head import Head
from tonearm.model.multi_label import MultiLabelHead, head_of
from tonearm.model.prediction import PLACES
from tonearm.model.styles import Style, styles_of

FORMAT = "tonearm-model"
FORMAT_VERSION = 3
SUFFIX = ".tonearm"
_MANIFEST, _ENCODER, _HEAD, _NOTICE = "manifest.json", "encoder.onnx", "head.npz", "NOTICE.txt"
_TEXTURE = "texture.onnx"
_LARGEST_BYTES = 512 * 2**20  # of a file: what is larger is something else
# What a hostile manifest can cause, as 51,616 runs of fuzzing found (robustness.md).
_WRONG_PARTS = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RecursionError,
)


@dataclass(frozen=True)
class TextureEncoder:
    """The second encoder: from long windows to their texture.

    Parameters
    ----------
    features : FeatureSpec
        The front end it expects.
    encoder : bytes
        ONNX: ``features`` float32 [batch, window_frames, mel_bands] to float32 [batch, t].
    """

    features: FeatureSpec
    encoder: bytes


@dataclass(frozen=True)
class Model:
    """A whole model.

    Parameters
    ----------
    name : str
        What kind of model, e.g. ``musicnn-head``.
    features : FeatureSpec
        The front end its encoder expects.
    encoder : bytes
        ONNX: ``features`` float32 [batch, window_frames, mel_bands] to ``windows`` [batch, d].
    head : Head
        From embeddings to probabilities; knows the labels.
    embedding_names : tuple of str or None
        What each of the d numbers of an embedding means.
    windows_per_track : int
        How many windows of a track are analysed at most, unless a caller says otherwise.
    stop_confidence : float
        Confidence at which no more of them are analysed; 1 analyses all in any case.
    training, metrics : dict
        Where it was trained (split, hash, n) and how good it was found to be, for people.
    notices : str
        Licence texts that must travel with it.
    sha256 : str
        Of the file it was loaded from; empty before it is saved.
    texture : TextureEncoder or None
        The second encoder, for a head that asks for it.
    styles : tuple of Style
        Finer words than genres.
    """

    name: str
    features: FeatureSpec
    encoder: bytes
    head: Head
    embedding_names: tuple[str, ...] | None
    windows_per_track: int
    stop_confidence: float = 1.0
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    notices: str = ""
    sha256: str = ""
    texture: TextureEncoder | None = None
    styles: tuple[Style, ...] = ()

    def __post_init__(self) -> None:
        # Of a file that was made by hand; later, each would end a whole run.
        if not (isinstance(self.training, dict) and isinstance(self.metrics, dict)):
            raise ModelError("its training or its metrics are no JSON object")
        if not all(isinstance(name, str) for name in (self.name, *(self.embedding_names or ()))):
            raise ModelError("its name, or a name of its embeddings, is no text")
        if self.embedding_names is not None and len(self.embedding_names) != self.head.dimensions:
            names, numbers = len(self.embedding_names), self.head.dimensions
            raise ModelError(f"{names} names for embeddings of {numbers} numbers")
        if self.windows_per_track < 1 or not 0 < self.stop_confidence <= 1:
            raise ModelError(
                f"{self.windows_per_track} windows a track, "
                f"or until a confidence of {self.stop_confidence}"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The genres, in the order of the probabilities."""
        return self.head.labels

    def is_enough(self, windows: np.ndarray[Any, np.dtype[Any]]) -> bool:
        """Whether these windows [n, d] of a track suffice, so that no more are analysed.

        Parameters
        ----------
        windows : float32 [n, d]
            Embeddings of the windows so far.
        """
        # 1 switches it off: no probability of a calibrated head reaches it.
        return self.stop_confidence < 1 and self.head.is_confident(
            windows, confidence=self.stop_confidence
        )

    def styles_of(
        self, genre: str | None, windows: np.ndarray[Any, np.dtype[Any]]
    ) -> dict[str, float]:
        """The styles of a track with these windows [n, d], the one that stands out most first.

        Parameters
        ----------
        genre : str or None
            Of the track; an unknown one has no styles.
        windows : float [n, d]
            Embeddings of all windows of the track.
        """
        if isinstance(self.head, MultiLabelHead):
            return self.head.styles(windows, genre)
        # The head classifies windows; these styles are by the mean of tags over the track.
        means = windows.mean(axis=0, dtype=np.float64).tolist()
        names = self.embedding_names or ()
        tags = {name: round(mean, PLACES) for name, mean in zip(names, means, strict=False)}
        return styles_of(self.styles, genre, tags)

    @property
    def encoder_sha256(self) -> str:
        """Identity of the encoders: embeddings of equal encoders can be compared and kept."""
        # The front end belongs to it: one network on other spectrograms gives other embeddings.
        digest = hashlib.sha256(self.encoder + _canonical(self.features))
        if self.texture is not None:
            # Both encoders' results lie in one row of the store.
            digest.update(self.texture.encoder + _canonical(self.texture.features))
        return digest.hexdigest()

    def wants_texture(
        self, windows: np.ndarray[Any, np.dtype[Any]], *, duration_s: float | None = None
    ) -> bool:
        """Whether the second encoder is asked about a track with these windows [n, d].

        Parameters
        ----------
        windows : float32 [n, d]
            Embeddings by the first encoder.
        duration_s : float or None
            Length of the track.
        """
        return self.texture is not None and self.head.wants_texture(windows, duration_s=duration_s)


def _canonical(spec: FeatureSpec) -> bytes:
    return json.dumps(spec.to_dict(), sort_keys=True).encode()


# Names the model file of the package where a file could be named.
BUILT_IN = "built-in"


def builtin_path() -> Path:
    """Path of the model file that comes with the package."""
    return Path(__file__).parents[1] / "weights" / f"gtzan{SUFFIX}"


def named(name: str | os.PathLike[str] | None) -> Path | None:
    """The file that is meant; None for the one of the package, which is also called built-in.

    Parameters
    ----------
    name : path or None
        A path, or ``built-in`` unless a file is called so.
    """
    path = Path(name) if name is not None else None
    return None if path == Path(BUILT_IN) and not path.exists() else path


def save(model: Model, path: str | os.PathLike[str]) -> str:
    """Write a model file whole or not at all; returns the file's SHA-256.

    Parameters
    ----------
    model : Model
        What to write.
    path : path
        Where to; a file that is there is replaced.
    """
    members = {
        _ENCODER: model.encoder,
        _HEAD: _pack(model.head.arrays()),
        _NOTICE: model.notices.encode(),
    }
    if model.texture is not None:
        members[_TEXTURE] = model.texture.encoder
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "name": model.name,
        "features": model.features.to_dict(),
        "embedding_names": model.embedding_names,
        "windows_per_track": model.windows_per_track,
        "stop_confidence": model.stop_confidence,
        "head": model.head.settings(),
        "texture": None if model.texture is None else model.texture.features.to_dict(),
        "styles": [style.settings() for style in model.styles],
        "training": model.training,
        "metrics": model.metrics,
        # The manifest vouches for the members, the zip's comment for the manifest.
        "sha256": {name: _sha256(data) for name, data in members.items()},
    }
    # NaN is no JSON: other languages could not read the file.
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name, data in {_MANIFEST: text, **members}.items():
            # A ZipInfo by name alone is dated 1980: the same model is the same bytes.
            file.writestr(zipfile.ZipInfo(name), data)
        file.comment = f"sha256:{_sha256(text)}".encode()
    # Put together in memory, since a zip on the disk is not whole before its last byte.
    data = buffer.getvalue()
    write_atomically(path, data)
    return _sha256(data)


def load(path: str | os.PathLike[str] | None = None) -> Model:
    """Read and check a model file; None, or ``built-in``, is the one that comes with the package.

    Parameters
    ----------
    path : path or None
        A model file; None or ``built-in`` is the one of the package.

    Raises
    ------
    ModelError
        When the file is missing, no model file, damaged anywhere, or of a newer format.
    """
    path = named(path) or builtin_path()
    try:
        with open(path, "rb") as file:
            # One byte more than allowed tells a file that is too large, without reading it all.
            data = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{path} cannot be read as a model: {error.strerror}") from None
    if len(data) > _LARGEST_BYTES:
        raise ModelError(f"{path} is too large to be a model: more than {_LARGEST_BYTES >> 20} MB")
    try:
        return _parse(_checked_members(data), _sha256(data))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except _WRONG_PARTS as error:
        raise ModelError(f"{path}: the model lacks a part, or a part is wrong: {error!r}") from None


def _parse(members: dict[str, bytes], sha256: str) -> Model:
    values = json.loads(members[_MANIFEST])
    return Model(
        name=values["name"],
        features=FeatureSpec.from_dict(values["features"]),
        encoder=members[_ENCODER],
        head=head_of(values["head"], _unpack(members[_HEAD])),
        embedding_names=tuple(values["embedding_names"]) if values["embedding_names"] else None,
        windows_per_track=int(values["windows_per_track"]),
        stop_confidence=float(values["stop_confidence"]),
        training=values["training"],
        metrics=values["metrics"],
        notices=members[_NOTICE].decode(),
        sha256=sha256,
        texture=TextureEncoder(FeatureSpec.from_dict(values["texture"]), members[_TEXTURE])
        if values["texture"]
        else None,
        styles=tuple(Style.from_settings(style) for style in values["styles"]),
    )


def _checked_members(data: bytes) -> dict[str, bytes]:
    """All members after every hash was found right."""
    # The comment of the zip, then the manifest, then its members: each is trusted only when the one
    # before vouches for it.
    members, comment = _stored_members(data)
    manifest = members.get(_MANIFEST)
    if manifest is None or not comment.startswith("sha256:"):
        raise ModelError("is a zip file, but not a Tonearm model")
    if comment != f"sha256:{_sha256(manifest)}":
        raise ModelError(f"damaged model: {_MANIFEST} does not match its checksum")
    values = json.loads(manifest)
    if values.get("format") != FORMAT or values.get("version") != FORMAT_VERSION:
        raise ModelError(
            f"model of format {values.get('format')} {values.get('version')}; this Tonearm reads "
            f"{FORMAT} {FORMAT_VERSION}: train it again, or update Tonearm"
        )
    for name, expected in values["sha256"].items():
        if name not in members or _sha256(members[name]) != expected:
            raise ModelError(f"damaged model: {name} does not match its checksum")
    # Members without a hash are dropped: nothing unchecked can be used.
    return {name: members[name] for name in (_MANIFEST, *values["sha256"])}


def _stored_members(data: bytes) -> tuple[dict[str, bytes], str]:
    """Members of a zip that compresses nothing, so that it cannot be more than it is; comment."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            # The list of contents alone: nothing is read before its sizes are checked.
            parts = file.infolist()
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                raise ModelError("not a Tonearm model: its parts are compressed")
            # Members that overlap would be a zip bomb even without compression.
            if sum(part.file_size for part in parts) > len(data):
                raise ModelError("damaged model: it states more data than it holds")
            members = {part.filename: file.read(part) for part in parts}
            return members, file.comment.decode("ascii", "replace")
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"not a Tonearm model, or a damaged one ({error})") from None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _pack(arrays: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """A .npz of fixed dates, which numpy.savez does not give."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        # Sorted, so that equal heads give equal bytes.
        for name, array in sorted(arrays.items()):
            member = io.BytesIO()
            np.save(member, np.ascontiguousarray(array), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return buffer.getvalue()


def _unpack(data: bytes) -> dict[str, np.ndarray[Any, Any]]:
    members, _ = _stored_members(data)
    return {
        name.removesuffix(".npy"): np.load(io.BytesIO(content), allow_pickle=False)
        for name, content in members.items()
    }
