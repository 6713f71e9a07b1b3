"""Small charts as SVG, coloured by CSS (``charts.css``) so that they follow light and dark.

Written by hand: matplotlib's pictures have fixed colours, weigh ten times as much, and would make
a report need an extra. All text is escaped. Imports nothing of Tonearm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 340, 250  # units of the viewBox: a chart is as wide as its place
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 20, 24, 36
COLOURS = 6
_LEGEND_ROW = 15
_SHEET_ROWS = 3

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line or cloud of a chart.

    Parameters
    ----------
    name : str
        For the legend; empty for none.
    points : sequence of (x, y)
    colour : int
        Which of the page's series colours, 0 to 5.
    line, dashed : bool
        Whether the points are joined.
    radii : sequence of float
        Of a dot on each point, in pixels; empty for no dots.
    notes : sequence of str
        What each dot says when it is pointed at.
    """

    name: str
    points: Sequence[Point]
    colour: int = 0
    line: bool = True
    dashed: bool = False
    radii: Sequence[float] = field(default=())
    notes: Sequence[str] = field(default=())


def ticks(low: float, high: float, *, count: int, least: float = 0.0) -> list[float]:
    """Round numbers from low to high, at most so many steps, each ``least`` or more.

    Parameters
    ----------
    low : float
        Where the axis begins.
    high : float
        Where it ends.
    count : int
        About how many ticks.
    least : float
        The smallest step, such as 1 where things are counted.
    """
    raw = max((high - low) / count, least)
    power = 10.0 ** math.floor(math.log10(raw))
    # 1, 2, 5, 10: the steps that people read; 1e-9 for rounding.
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    found: list[float] = []
    # Multiplied, not added up, or rounding would grow from tick to tick.
    while (first + len(found)) * step <= high + step * 1e-9:
        found.append((first + len(found)) * step)
    return found


def chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x: tuple[float, float],
    y: tuple[float, float],
    as_percent: tuple[bool, bool] = (False, False),
) -> str:
    """An SVG element.

    Parameters
    ----------
    series : sequence of Series
        The lines and dots.
    title : str
        What it shows, for those who do not see it.
    x_label, y_label : str
        What each axis counts, in words.
    x, y : (float, float)
        The stretch of each axis.
    as_percent : (bool, bool)
        Whether x and y are fractions; otherwise x counts something.
    """
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def at(point: Point) -> Point:
        across = (point[0] - x[0]) / (x[1] - x[0])
        up = (point[1] - y[0]) / (y[1] - y[0])
        # SVG counts downward.
        return _LEFT + across * (right - _LEFT), bottom - up * (bottom - _TOP)

    # Lines without a name need no row in the legend: the title says what they are.
    named = [line for line in series if line.name]
    height = _height(len(named))
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">'
    ]
    for value in ticks(*x, count=6, least=0.0 if as_percent[0] else 1.0):
        place = at((value, y[0]))[0]
        parts.append(f'<line class="grid" x1="{place:.1f}" y1="{_TOP}" x2="{place:.1f}" ')
        parts.append(f'y2="{bottom}"/><text x="{place:.1f}" y="{bottom + 14}" ')
        parts.append(f'text-anchor="middle">{_tick(value, as_percent[0])}</text>')
    for value in ticks(*y, count=6):
        place = at((x[0], value))[1]
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{place:.1f}" x2="{right}" ')
        parts.append(f'y2="{place:.1f}"/><text x="{_LEFT - 5}" y="{place + 4:.1f}" ')
        parts.append(f'text-anchor="end">{_tick(value, as_percent[1])}</text>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text class="label" x="{middle}" y="{bottom + 30}" text-anchor="middle">')
    parts.append(f"{escape(x_label)}</text>")
    parts.append(f'<text class="label" x="{_LEFT}" y="{_TOP - 10}">{escape(y_label)}</text>')
    # Above the grid and in the order given: the first model lies below the others.
    parts += [_drawn(line, [at(point) for point in line.points]) for line in series]
    for row, line in enumerate(named):
        # Below the chart, not in it: a legend over points hides what it explains.
        down = HEIGHT + _LEGEND_ROW * row + 6
        parts.append(_drawn(line, [(_LEFT, down - 4), (_LEFT + 18, down - 4)], legend=True))
        parts.append(f'<text x="{_LEFT + 24}" y="{down}">{escape(line.name)}</text>')
    return "".join([*parts, "</svg>"])


def _height(legend_rows: int) -> int:
    return HEIGHT + _LEGEND_ROW * legend_rows


def style() -> str:
    """CSS of the charts, and the page's colours in light and dark."""
    return Path(__file__).with_suffix(".css").read_text("utf-8")


def sheet(drawings: Sequence[str], *, title: str) -> str:
    """A file of its own: drawings of `chart` side by side, with their style; whole SVG.

    Parameters
    ----------
    drawings : sequence of str
        Charts, put next to each other.
    title : str
        For screen readers.
    """
    width, height = WIDTH * len(drawings), _height(_SHEET_ROWS)
    side_by_side = (
        # The first `<svg ` is the chart's own; inside a sheet it becomes one picture among others.
        drawing.replace(
            "<svg ",
            f'<svg x="{WIDTH * i}" width="{WIDTH}" height="{height}" '
            'preserveAspectRatio="xMidYMin" ',
            1,
        )
        for i, drawing in enumerate(drawings)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif">'
        f"<title>{escape(title)}</title><style>{style()}</style>"
        '<rect class="paper" width="100%" height="100%"/>'
        f"{''.join(side_by_side)}</svg>\n"
    )


def _drawn(line: Series, places: Sequence[Point], *, legend: bool = False) -> str:
    kind = f"c{line.colour % COLOURS}"
    parts = []
    if line.line and len(places) > 1:
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        dashes = ' stroke-dasharray="4 4"' if line.dashed else ""
        parts.append(f'<polyline class="line {kind}" points="{path}"{dashes}/>')
    if line.radii and legend:
        parts.append(f'<circle class="dot {kind}" cx="{places[0][0] + 9}" cy="{places[0][1]}" ')
        parts.append('r="4"/>')
    elif line.radii:
        notes = line.notes or [""] * len(places)
        for (px, py), radius, note in zip(places, line.radii, notes, strict=True):
            # Browsers show the title of a dot when the pointer rests on it.
            said = f"<title>{escape(note)}</title>" if note else ""
            parts.append(f'<circle class="dot {kind}" cx="{px:.1f}" cy="{py:.1f}" ')
            parts.append(f'r="{radius:.1f}">{said}</circle>')
    return "".join(parts)


def interval(
    value: float,
    low: float,
    high: float,
    *,
    stretch: tuple[float, float] = (0.0, 1.0),
    colour: int = 0,
    mark: float | None = None,
) -> str:
    """A dot with its interval on a line from end to end of ``stretch``, as wide as its place.

    Parameters
    ----------
    value : float
        Where the dot is.
    low, high : float
        Ends of its interval.
    stretch : (float, float)
        Values at both ends of the line.
    colour : int
        Number of the colour, as of a series.
    mark : float or None
        Another value to mark on the line, to compare with.
    """

    def at(number: float) -> str:
        fraction = (number - stretch[0]) / (stretch[1] - stretch[0])
        # In percent, so that the drawing is as wide as its cell; clipped, so that it stays inside.
        return f"{100 * min(1.0, max(0.0, fraction)):.2f}%"

    marked = ""
    if mark is not None:
        marked = f'<line class="grid" x1="{at(mark)}" y1="0" x2="{at(mark)}" y2="16"/>'
    kind = f"c{colour % COLOURS}"
    return (
        '<svg class="interval" width="100%" height="16" aria-hidden="true">'
        f'<line class="grid" x1="0" y1="8" x2="100%" y2="8"/>{marked}'
        f'<line class="line {kind}" x1="{at(low)}" y1="8" x2="{at(high)}" y2="8"/>'
        f'<circle class="dot {kind}" cx="{at(value)}" cy="8" r="4.5"/></svg>'
    )


def percent(fraction: float) -> str:
    """``81.5 %``, with a space that does not break.

    Parameters
    ----------
    fraction : float
        0 to 1.
    """
    return f"{100 * fraction:.1f}\N{NO-BREAK SPACE}%"


def _tick(value: float, as_percent: bool) -> str:
    return f"{100 * value:.0f}%" if as_percent else f"{value:.4g}"
