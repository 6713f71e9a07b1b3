"""The measurements as Markdown: a section for each subject, a line for each comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.measure import Ratio, medians, ratio


@dataclass(frozen=True)
class Row:
    """One line: what is compared with what, both figures, and the ratio of the other to ours.

    A row without a ratio is a single figure, or says why there is none.
    """

    what: str
    other_name: str
    ours: str = ""
    other: str = ""
    ratio: Ratio | None = None


@dataclass
class Section:
    """Rows of one subject, and how they were measured."""

    title: str
    how: str
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def attempt(self, what: str, other_name: str) -> Iterator[None]:
        """Turn the failure of a command into one row that says why."""
        try:
            yield
        except RuntimeError as error:
            self.rows.append(Row(what, other_name, other=f"failed: {' '.join(str(error).split())}"))

    def add(
        self, what: str, other_name: str, pairs: Sequence[tuple[float, float]], unit: str
    ) -> Row:
        """A row of pairs (ours, the other)."""
        ours, other = medians(pairs)
        row = Row(what, other_name, amount(ours, unit), amount(other, unit), ratio(pairs))
        self.rows.append(row)
        return row

    def say(self, what: str, other_name: str, *, ours: str = "", other: str = "") -> None:
        """A row without a ratio."""
        self.rows.append(Row(what, other_name, ours, other))


def amount(value: float, unit: str) -> str:
    """Three digits and the unit; seconds below one as milliseconds."""
    if unit == "s" and value < 1:
        value, unit = value * 1_000, "ms"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def times(found: Ratio) -> str:
    """``12.3 (11.9–12.8)``: the median, and the smallest and largest of the runs."""

    def short(value: float) -> str:
        return f"{value:.0f}" if value >= 100 else f"{value:.3g}"

    if found.runs == 1:
        return f"**{short(found.median)}** (one run)"
    return f"**{short(found.median)}** ({short(found.low)}–{short(found.high)})"


def markdown(section: Section) -> str:
    """The section with its table."""
    lines = [f"### {section.title}", "", section.how, ""]
    if not section.rows:
        return "\n".join([*lines, "No other program is installed to compare with.", ""])
    lines += [
        "| what | compared with | Tonearm | the other | ratio | runs |",
        "|---|---|---|---|---|---|",
    ]
    for row in section.rows:
        found, runs = (times(row.ratio), str(row.ratio.runs)) if row.ratio else ("", "")
        lines.append(_line(row.what, row.other_name, row.ours, row.other, found, runs))
    return "\n".join([*lines, ""])


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def closest(rows: Iterable[Row]) -> Row | None:
    """The row with the smallest ratio."""
    found = [(row.ratio.median, row) for row in rows if row.ratio]
    return min(found, key=lambda pair: pair[0])[1] if found else None
