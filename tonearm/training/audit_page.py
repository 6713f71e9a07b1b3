"""An audit as one HTML file that needs nothing else: players hold their sound themselves.

Every text that came from data or file names is escaped. The same audit gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from tonearm.data import groups
from tonearm.errors import counted
from tonearm.training import html_page
from tonearm.training.audit_results import NOTHING_CHECKED, Audit, Copies, Suspect
from tonearm.training.charts import percent
from tonearm.training.html_page import player

MOST_SUSPECTS = 30
_MOST_COPIES = 30


def played(audit: Audit) -> list[str]:
    """Names of the tracks that the page has players of.

    Parameters
    ----------
    audit : Audit
        What is shown.
    """
    names = []
    for suspect in audit.suspects[:MOST_SUSPECTS]:
        # One neighbour of three: players are most of the file.
        names += [suspect.name, *(near.name for near in suspect.neighbours[:1])]
    for found in audit.copies[:_MOST_COPIES]:
        names += [found.kept, *found.copies[:1]]
    return list(dict.fromkeys(names))


def render(audit: Audit, sounds: Mapping[str, bytes]) -> str:
    """The whole page.

    Parameters
    ----------
    audit : Audit
        What is shown.
    sounds : mapping of str to bytes
        MP3 by name of the track; a track without one has no player.

    Returns
    -------
    str
        HTML. Encode it with ``backslashreplace``: names may hold what UTF-8 cannot.
    """
    title = f"Audit of {Path(audit.folder).name}"
    sections = (
        _tiles(audit),
        _suspects(audit, sounds),
        _copies(audit.copies, sounds),
        _artists(audit),
        html_page.files("Files that are left out", audit.failed),
        html_page.files("Files that are damaged", audit.damaged),
    )
    return html_page.page(title, "what is wrong with this data set?", sections=sections)


def _tiles(audit: Audit) -> str:
    known = counted(audit.unknown_artist, "track") + " without a known artist"
    agreement = "–" if audit.agreement is None else percent(audit.agreement)
    cells = [
        ("tracks", str(sum(audit.genres.values())), counted(len(audit.genres), "genre")),
        ("artists", str(audit.artists), known),
        (
            "labels that agree with the sound",
            agreement,
            escape(f"of {counted(audit.measured, 'track')}; {audit.held_out}"),
        ),
        ("copies", str(sum(len(each.copies) for each in audit.copies)), _across(audit)),
        ("files left out", str(len(audit.failed)), f"{len(audit.damaged)} damaged"),
    ]
    return html_page.tiles(cells)


def _across(audit: Audit) -> str:
    return f"in several genres: {len(audit.across)} of these recordings"


def _suspects(audit: Audit, sounds: Mapping[str, bytes]) -> str:
    if not audit.measured:
        return f"<section><h2>Labels</h2><p class=note>{NOTHING_CHECKED}</p></section>"
    # More than that nobody listens to in one go; --format json has all.
    shown = audit.suspects[:MOST_SUSPECTS]
    rows = "".join(f"<li>{_suspect(each, sounds)}</li>" for each in shown)
    many = f"Labels that contradict the sound: {len(audit.suspects)}"
    first = f" (the first {len(shown)} of them)" if len(shown) < len(audit.suspects) else ""
    return (
        f"<section><h2>{many}{first}</h2><p>These are predictions of models that have not learnt "
        f"from the track ({escape(audit.held_out)}). A label may still be right: listen.</p>"
        f"<ol>{rows}</ol></section>"
    )


def _suspect(suspect: Suspect, sounds: Mapping[str, bytes]) -> str:
    alone = " The track was held out by itself." if suspect.one_by_one else ""
    near = "".join(
        f"<div>{escape(each.genre)}, {each.similarity:.2f}: {escape(each.name)}"
        f"{player(each.name, sounds)}</div>"
        for each in suspect.neighbours
    )
    return (
        f"<code>{escape(suspect.name)}</code><span>is labelled <b>{escape(suspect.genre)}</b> "
        f"({percent(suspect.probability_of_label)}), sounds like <b>{escape(suspect.answer)}</b> "
        f"({percent(suspect.probability)}).{alone} Nearest by other artists:</span>"
        f"{player(suspect.name, sounds)}<div class=near>{near}</div>"
    )


def _copies(copies: Sequence[Copies], sounds: Mapping[str, bytes]) -> str:
    if not copies:
        return "<section><h2>Copies</h2><p>None.</p></section>"
    rows = []
    for each in copies:
        several = len(each.genres) > 1
        flag = f' <em class="flag">{escape(" and ".join(each.genres))}</em>' if several else ""
        listed = "".join(f"<div>{escape(name)}{player(name, sounds)}</div>" for name in each.copies)
        rows.append(
            f"<li><code>{escape(each.kept)}</code>{flag}{player(each.kept, sounds)}"
            f"<div class=near>{listed}</div></li>"
        )
    return (
        f"<section><h2>Recordings in several files: {len(copies)}</h2><p>The complete file is "
        "used, or else the first one; if the genres differ, none is.</p>"
        f"<ol>{''.join(rows)}</ol></section>"
    )


def _artists(audit: Audit) -> str:
    rows = [f"<li>{escape(note)}.</li>" for note in audit.notes]
    for group, where in audit.crossing.items():
        sides = ", ".join(f"{subset}: {name}" for subset, name in where.items())
        rows.append(
            f"<li><b>{escape(groups.shown(group))}</b> is in several subsets of the split "
            f"{escape(audit.split or '')} ({escape(sides)}).</li>"
        )
    if not rows:
        return ""
    return f"<section><h2>Artists</h2><ul>{''.join(rows)}</ul></section>"
