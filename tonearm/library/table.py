"""The library as a table: a row for each file, in Parquet, for exports, imports and clusters.

The columns are those of the JSON and of the library: tags, prediction, error, and a column
``p_GENRE`` for each genre. A row also holds the sound key and the embeddings (float16, as they
are stored), so that an import needs no audio. The models are described in the file's metadata.

The only module of this folder that imports pyarrow, and only when it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from tonearm.data.embedding_store import StoredEmbeddings, texture_of
from tonearm.errors import LibraryError
from tonearm.library.records import FileTags, ModelRecord
from tonearm.model.prediction import Prediction, rank

if TYPE_CHECKING:
    import pyarrow as pa

    from tonearm.library.store import Library

_METADATA = b"tonearm"
# Of the description in the metadata.
_VERSION = 1
# Of one row: a probability column for each genre is named so.
_PROBABILITY = "p_"
# Rows that are converted and written together: some 4 MB with embeddings.
BATCH_ROWS = 1_024
# How `as_text` writes a byte of a name that is not UTF-8.
_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")


@dataclass(frozen=True)
class TableRow:
    """One file of a table.

    Parameters
    ----------
    path : str
        Path or URI.
    size : int or None
        Bytes.
    missing : bool
        Whether the file was missing at the last scan.
    tags : FileTags
        What the file says of itself.
    key : str or None
        Sound key; None where the file could not be read.
    model : str or None
        SHA-256 of the model that classified it.
    embeddings : StoredEmbeddings or None
        None where it could not be analysed.
    prediction : Prediction or None
        None where it could not be analysed.
    error : (str, str) or None
        Kind and message of what went wrong.
    """

    path: str
    size: int | None = None
    missing: bool = False
    tags: FileTags = field(default_factory=FileTags)
    key: str | None = None
    model: str | None = None
    embeddings: StoredEmbeddings | None = None
    prediction: Prediction | None = None
    error: tuple[str, str] | None = None


def schema_of(models: Sequence[ModelRecord]) -> pa.Schema:
    """The columns of a table of tracks that these models classified.

    Parameters
    ----------
    models : sequence of ModelRecord
        Each adds a column per genre.
    """
    import pyarrow as pa

    text, number, binary = pa.string(), pa.float64(), pa.binary()
    fractions = pa.map_(text, number)
    # Several models may have classified one library: a column for each genre that any of them
    # knows.
    labels = dict.fromkeys(label for model in models for label in model.labels)
    columns = {
        "path": text,
        "size": pa.int64(),
        "missing": pa.bool_(),
        "duration_s": number,
        "title": text,
        "artist": text,
        "album": text,
        "album_artist": text,
        "genre_tags": pa.list_(text),
        "tagged_by_tonearm": pa.bool_(),
        "tag_error": text,
        "genre": text,
        "nearest": text,
        "confidence": number,
        **{f"{_PROBABILITY}{label}": pa.float32() for label in labels},
        "mix": fractions,
        "styles": fractions,
        "warning": text,
        "note": text,
        "error_kind": text,
        "error": text,
        "key": text,
        "model": text,
        "windows": pa.int32(),
        "values_f16": binary,
        "starts_f32": binary,
        "texture_windows": pa.int32(),
        "texture_f16": binary,
    }
    # In the file's metadata, which every reader of Parquet keeps: without the models nobody could
    # say what the embeddings are.
    described = {"version": _VERSION, "models": [asdict(model) for model in models]}
    return pa.schema(list(columns.items()), {_METADATA: json.dumps(described).encode()})


def models_of(schema: pa.Schema, *, name: str) -> dict[str, ModelRecord]:
    """The models that a table describes, by their SHA-256.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of a file or a table.
    name : str
        The file, for messages.

    Raises
    ------
    LibraryError
        When the table is not one of Tonearm's.
    """
    described = (schema.metadata or {}).get(_METADATA)
    if described is None:
        raise LibraryError(
            f"{name} is not a table with embeddings: make one with `tonearm export -o x.parquet` "
            "or `tonearm scan --on ray`"
        )
    values = json.loads(described)
    # A newer one may mean something else by the same column; older ones stay readable.
    if values["version"] > _VERSION:
        raise LibraryError(f"{name} was made by a newer Tonearm: update this one")
    return {each["sha256"]: _model_record(each) for each in values["models"]}


def _model_record(values: dict[str, Any]) -> ModelRecord:
    names = values["names"]
    return ModelRecord(
        **{
            **values,
            "labels": tuple(values["labels"]),
            "names": None if names is None else tuple(names),
        }
    )


def to_table(rows: Iterable[TableRow], schema: pa.Schema) -> pa.Table:
    """Rows as a table of that schema.

    Parameters
    ----------
    rows : iterable of TableRow
        One per file.
    schema : pyarrow.Schema
        Of :func:`schema_of`.
    """
    import pyarrow as pa

    # Columns that a row lacks are null by the schema.
    return pa.Table.from_pylist(list(map(_columns, rows)), schema)


def _columns(row: TableRow) -> dict[str, Any]:
    tags, made, predicted = row.tags, row.embeddings, row.prediction
    values: dict[str, Any] = {
        "path": as_text(row.path),
        "size": row.size,
        "missing": row.missing,
        "title": as_text(tags.title),
        "artist": as_text(tags.artist),
        "album": as_text(tags.album),
        "album_artist": as_text(tags.album_artist),
        "genre_tags": list(map(as_text, tags.genres)),
        "tagged_by_tonearm": tags.by_tonearm,
        "tag_error": as_text(tags.error),
        "key": row.key,
        "model": row.model,
    }
    if row.error is not None:
        values["error_kind"], values["error"] = row.error[0], as_text(row.error[1])
    if predicted is not None:
        values |= {
            "genre": predicted.genre,
            "nearest": predicted.nearest,
            "confidence": predicted.confidence,
            # Arrow takes a map as pairs, and keeps their order.
            "mix": None if predicted.mix is None else list(predicted.mix.items()),
            "styles": list(predicted.styles.items()),
            "note": predicted.note,
        }
        values |= {f"{_PROBABILITY}{name}": p for name, p in predicted.probabilities.items()}
    if made is not None:
        starts = made.starts_s
        values |= {
            "duration_s": made.duration_s,
            "warning": made.warning,
            "windows": len(made.values),
            # As the library keeps them, so that an import gives the same bytes.
            "values_f16": made.values.astype(np.float16).tobytes(),
            "starts_f32": None if starts is None else starts.astype(np.float32).tobytes(),
        }
        if made.texture is not None:
            values["texture_windows"] = len(made.texture)
            values["texture_f16"] = made.texture.astype(np.float16).tobytes()
    return values


def as_text(value: str | None) -> str | None:
    """Text that UTF-8 can hold: names of files may have bytes, and tags halves, that it cannot.

    Parameters
    ----------
    value : str or None
        A name or a tag; None stays None.
    """
    return value and value.encode("utf-8", "backslashreplace").decode()


def _as_name(text: str) -> str:
    """The name of a file that :func:`as_text` wrote: bytes that are not UTF-8 are bytes again."""
    return _BYTE.sub(lambda found: chr(0xDC00 + int(found[1], 16)), text)


def from_table(
    batch: pa.RecordBatch | pa.Table, models: dict[str, ModelRecord]
) -> Iterator[TableRow]:
    """The rows of a table, or of a batch of one.

    Parameters
    ----------
    batch : pyarrow.RecordBatch or pyarrow.Table
        With the columns of :func:`schema_of`.
    models : dict of str to ModelRecord
        Of :func:`models_of`.
    """
    # Lossy: a map with a key twice, which Tonearm never writes, keeps the last one.
    for values in batch.to_pylist(maps_as_pydicts="lossy"):
        model = models.get(values["model"] or "")
        error = values["error_kind"]
        yield TableRow(
            path=_as_name(values["path"]),
            size=values["size"],
            missing=bool(values["missing"]),
            tags=FileTags(
                title=values["title"],
                artist=values["artist"],
                album=values["album"],
                album_artist=values["album_artist"],
                genres=tuple(values["genre_tags"] or ()),
                by_tonearm=bool(values["tagged_by_tonearm"]),
                error=values["tag_error"],
            ),
            key=values["key"],
            model=values["model"],
            embeddings=_embeddings(values),
            prediction=_prediction(values, model) if model else None,
            error=(error, values["error"]) if error else None,
        )


def _embeddings(values: dict[str, Any]) -> StoredEmbeddings | None:
    if values["values_f16"] is None:
        return None
    starts = values["starts_f32"]
    windows = np.frombuffer(values["values_f16"], dtype=np.float16)
    return StoredEmbeddings(
        values=windows.reshape(values["windows"], -1),
        starts_s=None if starts is None else np.frombuffer(starts, dtype=np.float32),
        duration_s=values["duration_s"],
        warning=values["warning"],
        texture=texture_of(values["texture_f16"], values["texture_windows"]),
        silent=values.get("note") == "silent",
        low_rate=values.get("note") == "low-rate",
    )


def _prediction(values: dict[str, Any], model: ModelRecord) -> Prediction | None:
    # No prediction ever lacks it: the row is of a file that failed.
    if values["nearest"] is None:
        return None
    # Only the columns of the row's own model; those of others are empty in it.
    probabilities = [values[f"{_PROBABILITY}{label}"] or 0.0 for label in model.labels]
    return Prediction(
        genre=values["genre"],
        nearest=values["nearest"],
        confidence=values["confidence"],
        probabilities=rank(model.labels, probabilities),
        styles=dict(values["styles"] or {}),
        mix=dict(values["mix"]) if values["mix"] else None,
        path=_as_name(values["path"]),
        duration_s=values["duration_s"],
        warnings=(values["warning"],) if values["warning"] else (),
        note=values.get("note"),  # which tables of earlier versions lack
    )


def require_pyarrow(what: str) -> None:
    """Raise LibraryError where pyarrow is not installed.

    Parameters
    ----------
    what : str
        What needs it.
    """
    if find_spec("pyarrow") is None:
        raise LibraryError(f"{what} needs pyarrow: pip install pyarrow")


def write_library(library: Library, file: IO[bytes]) -> int:
    """Write every file of a library as Parquet, in bounded memory; gives their number.

    Parameters
    ----------
    library : Library
        The library, open.
    file : binary file
        Open for writing.
    """
    require_pyarrow("Parquet")
    from pyarrow import parquet

    schema = schema_of(library.models())
    count, rows = 0, library_rows(library)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        # Rows come from SQLite as they are needed: a library may be larger than the memory.
        while batch := list(islice(rows, BATCH_ROWS)):
            writer.write_table(to_table(batch, schema))
            count += len(batch)
    return count


def library_rows(library: Library) -> Iterator[TableRow]:
    """Every file of a library, also those that are missing, with its embeddings.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    sql = "SELECT m.sha256, m.encoder FROM sounds s JOIN models m ON m.id = s.model WHERE s.key = ?"
    # With those that are missing: a table may be a person's only record of them.
    for track in library.tracks(missing=True):
        made, sha256 = None, None
        if track.key is not None:
            sha256, encoder = library.rows(sql, [track.key])[0]
            # By the encoder that classified it: the store may hold those of others too.
            made = library.embeddings.get(track.key, encoder)
        kind = track.error_kind
        yield TableRow(
            path=track.path,
            size=track.size,
            missing=track.missing,
            tags=track.tags,
            key=track.key,
            model=sha256,
            embeddings=made,
            prediction=track.prediction,
            error=(kind, track.error_message or "") if kind else None,
        )
