"""Build the page that needs no server: a folder of static files (`make site`).

    python site/build.py build/browser

It holds the model split into its parts, onnxruntime-web from `node_modules`, the view for single
files of `tonearm serve`, and the analysis in plain modules. Any web server may host it, on any
path.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tonearm import __version__, windows
from tonearm.genres import SPLITTING, legend
from tonearm.model import (
    classifier,
    encoder,
    mix,
    out_of_domain,
    prediction,
    reasons,
    styles,
    texture,
    track,
    votes,
)
from tonearm.model import file as model_file
from tonearm.timeline import segments

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
PAGE = ROOT / "tonearm" / "serve" / "static"
RUNTIME = ROOT / "node_modules" / "onnxruntime-web"
# Of onnxruntime-web: the WASM back end alone, for one thread or many.
RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_STYLE = re.compile(r'<link rel="stylesheet" href="/static/(\w+\.css)" />')
# Nothing from elsewhere, nothing to elsewhere; styles of elements are set by scripts alone.
CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'"
)
# Settings of a head that `analysis/head.js` understands; another one would be ignored in silence.
HEAD_SETTINGS = frozenset(
    "labels kind power calibration min_confidence detector known_region gates texture".split()
)
DETECTOR_SETTINGS = frozenset(("offset", "limit", "slope"))
TEXTURE_SETTINGS = frozenset(("calibration", "ask_below", "detector"))
SECOND_SETTINGS = frozenset(("offset", "limit", "short_limit", "margin"))
_IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*["'](\.{1,2}/[^"']+\.js)["']""")


def build(target: Path, model_path: Path | None = None) -> None:
    """Write the whole site below ``target`` again.

    Parameters
    ----------
    target : Path
        The folder, which is emptied first.
    model_path : Path or None
        A model file; None is the built-in one.
    """
    if not RUNTIME.is_dir():
        raise SystemExit("onnxruntime-web is not installed: run `npm ci` (or `make site`) first.")
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("model", "ort", "examples"):
        (target / folder).mkdir(parents=True)
    model = model_file.load(model_path)
    examples = _copy_examples(target / "examples")
    _write_model(model, target / "model", examples)
    for name in RUNTIME_FILES:
        shutil.copy(RUNTIME / "dist" / name, target / "ort" / name)
    for source in modules(HERE / "site.js"):
        folder = HERE if source.is_relative_to(HERE) else PAGE
        place = target / source.relative_to(folder)
        place.parent.mkdir(exist_ok=True)
        shutil.copy(source, place)
    sheets = _STYLE.findall((PAGE / "index.html").read_text(encoding="utf-8"))
    for name in (*sheets, "icon.svg"):
        shutil.copy(PAGE / name, target / name)
    shutil.copy(HERE / "site.css", target / "site.css")
    links = "\n    ".join(f'<link rel="stylesheet" href="{name}" />' for name in sheets)
    page = (HERE / "index.html").read_text(encoding="utf-8")
    filled = {"CSP": CSP, "VERSION": __version__, "SHA256": model.sha256[:12], "STYLES": links}
    for name, text in filled.items():
        page = page.replace(f"@{name}@", text)
    (target / "index.html").write_text(page, encoding="utf-8")
    (target / "NOTICE.txt").write_text(notices(model), encoding="utf-8")


def modules(start: Path) -> list[Path]:
    """Every module that ``start`` needs: those of this folder first, else of the local page.

    Parameters
    ----------
    start : Path
    """
    found: list[Path] = []
    waiting = [start, HERE / "analysis" / "worker.js"]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.append(path)
        for name in _IMPORT.findall(path.read_text(encoding="utf-8")):
            # The page's own modules import `./api.js`, which is another one here.
            own = path.is_relative_to(HERE)
            relative = (path.parent / name).resolve().relative_to(HERE if own else PAGE)
            waiting.append(next(p / relative for p in (HERE, PAGE) if (p / relative).exists()))
    return found


def _copy_examples(target: Path) -> list[str]:
    names = []
    for path in sorted((ROOT / "examples").iterdir()):
        if path.suffix in (".mp3", ".flac", ".ogg", ".wav", ".m4a"):
            shutil.copy(path, target / path.name)
            names.append(path.name)
    return names


def _write_model(model: model_file.Model, target: Path, examples: list[str]) -> None:
    settings = model.head.settings()
    check_settings(settings)
    arrays, places, start = [], {}, 0
    for name, array in model.head.arrays().items():
        adding_genres = name.startswith("statistics.") or name == "texture.covariance"
        if adding_genres and name != "statistics.mean":
            continue
        places[name] = {"shape": array.shape, "start": start}
        arrays.append(np.ascontiguousarray(array, dtype="<f8").ravel())
        start += array.size
    (target / "head.bin").write_bytes(np.concatenate(arrays).tobytes())
    (target / "encoder.onnx").write_bytes(model.encoder)
    if model.texture is not None:
        (target / "texture.onnx").write_bytes(model.texture.encoder)
    values = {
        "sha256": model.sha256,
        "features": model.features.to_dict(),
        "texture": model.texture.features.to_dict() if model.texture is not None else None,
        "embedding_names": model.embedding_names,
        "windows_per_track": model.windows_per_track,
        "stop_confidence": model.stop_confidence,
        "head": settings,
        "styles": [style.settings() for style in model.styles],
        "arrays": places,
        "genres": legend(model.labels),
        "splitting": SPLITTING,
        "examples": examples,
        "rules": rules(),
    }
    (target / "model.json").write_text(json.dumps(values), encoding="utf-8")


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse a head that the page would classify by otherwise than the command line.

    Parameters
    ----------
    settings : dict
        Of the head.
    """
    unknown = sorted(settings.keys() - HEAD_SETTINGS)
    unknown += sorted((settings.get("detector") or {}).keys() - DETECTOR_SETTINGS)
    second = settings.get("texture") or {}
    unknown += sorted(second.keys() - TEXTURE_SETTINGS)
    unknown += sorted((second.get("detector") or {}).keys() - SECOND_SETTINGS)
    if settings.get("known_region"):
        unknown.append("known_region")
    if unknown:
        raise SystemExit(
            f"site/analysis/head.js does not know {', '.join(unknown)}, which this model has."
        )


def rules() -> dict[str, Any]:
    """The program's own numbers, so that no script repeats them."""
    return {
        "shortest_s": encoder.SHORTEST_S,
        "long_s": windows.LONG_S,
        "long_hop_s": windows._LONG_HOP_S,
        "most_windows": windows._MOST_WINDOWS,
        "timeline_hop_s": classifier.TIMELINE_HOP_S,
        "read_windows": track._READ_WINDOWS,
        "read_samples": track._READ_SAMPLES,
        "quiet": track._QUIET,
        "lifted": track._LIFTED,
        "most_gain": track._MOST_GAIN,
        "level_groups": track._LEVEL_GROUPS,
        "silent": track._SILENT,
        "silent_peak": track.SILENT_PEAK,
        "change_cost": segments.CHANGE_COST,
        "minimum_s": segments.MINIMUM_S,
        "least_state": segments.LEAST_PROBABILITY,
        "gap_hops": segments._GAP_HOPS,
        "least_vote": votes.LEAST_PROBABILITY,
        "least_odds": out_of_domain.LEAST_ODDS,
        "short_s": out_of_domain.SHORT_S,
        "far_outside": out_of_domain.FAR_OUTSIDE,
        "closed": texture.CLOSED,
        "places": prediction.PLACES,
        "most_styles": styles.MOST,
        "mix": {
            "hop_s": mix._HOP_S,
            "minimum_s": mix._MINIMUM_S,
            "change_cost": mix._CHANGE_COST,
            "weights": mix._WEIGHTS,
            "least_score": mix._LEAST_SCORE,
            "least_others": mix._LEAST_OTHERS,
            "doubt": mix._DOUBT,
            "most_unknown": mix._MOST_UNKNOWN,
            "least_probability": segments.LEAST_PROBABILITY,
        },
        "reasons": {
            "tags": reasons._TAGS,
            "windows": reasons._WINDOWS,
            "typical_s": reasons.TYPICAL_S,
            "groups": texture.GROUPS,
        },
    }


def notices(model: model_file.Model) -> str:
    """The licences of everything in the folder.

    Parameters
    ----------
    model : Model
    """
    version = json.loads((RUNTIME / "package.json").read_text(encoding="utf-8"))["version"]
    own = (ROOT / "LICENSE").read_text(encoding="utf-8")
    # The same licence by another holder: the package comes without its text.
    runtime = re.sub("(?m)^Copyright .*$", "Copyright (c) Microsoft Corporation", own)
    parts = [f"Tonearm {__version__}\n\n{own}", model.notices]
    return "\n\n".join([*parts, f"onnxruntime-web {version}\n\n{runtime}"])


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
