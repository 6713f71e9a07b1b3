"""What the HTML files of `audit` and `evaluate` share: the frame of a page, tiles, and players.

A file needs nothing else: styles, drawings and sounds stand in it. Every text that came from data
or file names is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path

from tonearm import audio
from tonearm.errors import DecodeError
from tonearm.training import charts

# 8 s at 22 kHz, mono, are 40 kB as MP3: a report of 60 players has 3 MB.
PLAYER_S = 8.0
PLAYER_HZ = 22_050


def page(title: str, question: str, *, under: str = "", sections: Iterable[str]) -> str:
    """The whole file.

    Parameters
    ----------
    title : str
        What it is about, as text.
    question : str
        What it answers, above the title.
    under : str
        HTML below the title.
    sections : iterable of str
        HTML of the rest.

    Returns
    -------
    str
        HTML. Encode it with ``backslashreplace``: names may hold what UTF-8 cannot.
    """
    # Styles stand in the page: a report is sent by mail, and must not need a second file.
    style = charts.style() + Path(__file__).with_name("report.css").read_text("utf-8")
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{style}</style></head><body><main>",
            f"<header><p class=kicker>Tonearm: {question}</p><h1>{escape(title)}</h1>{under}"
            "</header>",
            *sections,
            "</main></body></html>\n",
        ]
    )


def tiles(cells: Iterable[tuple[str, str, str]]) -> str:
    """Figures in a row.

    Parameters
    ----------
    cells : iterable of (str, str, str)
        What it is, the figure, and what goes below it, as HTML.
    """
    made = (
        f"<div><span>{label}</span><strong>{value}</strong><small>{more}</small></div>"
        for label, value, more in cells
    )
    return f"<div class=tiles>{''.join(made)}</div>"


def files(heading: str, found: Iterable[tuple[str, str]]) -> str:
    """A section that names files with their reasons; nothing where there are none.

    Parameters
    ----------
    heading : str
        Above them, as text.
    found : iterable of (path, reason)
        What to name.
    """
    rows = "".join(
        f"<li><code>{escape(path)}</code><span>{escape(reason)}</span></li>"
        for path, reason in found
    )
    return f"<section><h2>{escape(heading)}</h2><ol>{rows}</ol></section>" if rows else ""


def players(root: Path, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Name and MP3 of the middle of each track that can be read.

    Parameters
    ----------
    root : Path
        The folder that names begin in.
    names : iterable of str
        Of the tracks, relative to the folder.
    """
    for name in names:
        try:
            # The middle: beginnings are fades and applause.
            with audio.open_audio(root / name) as reader:
                middle_s = reader.info.duration_s / 2
            start_s = max(0.0, middle_s - PLAYER_S / 2)
            sound = audio.decode(root / name, start_s=start_s, duration_s=PLAYER_S)
        # It could be read when it was analysed; a report without one player is a report.
        except DecodeError:
            continue
        # MP3 has few sample rates, and this is one of them.
        samples = audio.resample(sound.samples, sound.sample_rate_hz, PLAYER_HZ)
        yield name, audio.as_mp3(samples, PLAYER_HZ)


def player(name: str, sounds: Mapping[str, bytes]) -> str:
    """The player of a track, with its sound in it; empty for a track that could not be read.

    Parameters
    ----------
    name : str
        Of the track.
    sounds : mapping of str to bytes
        From :func:`players`.
    """
    if name not in sounds:
        return ""
    data = base64.b64encode(sounds[name]).decode()
    label = escape(f"middle of {name}", quote=True)
    # In the page itself: a link to a song would lead nowhere on another machine.
    return f'<audio controls aria-label="{label}" src="data:audio/mpeg;base64,{data}"></audio>'
