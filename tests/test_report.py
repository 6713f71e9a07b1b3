"""The report: one page that is whole, sound HTML, asks nobody for anything, and trusts no name."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import tiny_head
from support.prepared import LOW, ROWS, TINY, Row, evaluated, fill, honest

from tonearm.data.splits import Split
from tonearm.training import charts, report
from tonearm.training.charts import Series

EVIL = "<script>alert('x')</script>"
VOID = {"meta", "link", "img", "br", "hr", "input"}
HISTORY = {
    "epoch": [1, 2, 3],
    "loss": [2.0, 1.5, 1.0],
    "valid_loss": [2.1, 1.9, 1.8],
    "accuracy": [0.2, 0.4, 0.6],
    "valid_accuracy": [0.2, 0.3, 0.3],
    "valid_track_accuracy": [0.3, 0.3, 0.4],
    "lr": [0.1, 0.1, 0.1],
}


class Page(HTMLParser):
    """Elements opened and closed in order, their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "data", TINY.encoder_sha256)


def test_one_model(folder: Path) -> None:
    text = report.render(evaluated(folder, TINY), histories=[None])
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert "0 on data" in page.text
    assert "66.7\N{NO-BREAK SPACE}%" in page.text and "6 tracks of 4 artists" in page.text
    assert "metal/f.wav" in page.text and "The 2 most confident of 2 mistakes" in page.text
    assert {"svg", "table", "polyline", "circle", "title"} <= page.tags
    assert "Training: loss" not in page.text and "Side by side" not in page.text
    assert text == report.render(evaluated(folder, TINY), histories=[None]), "not repeatable"


def test_nothing_is_asked_of_other_hosts(folder: Path) -> None:
    text = report.render(evaluated(folder, TINY, TINY), histories=[HISTORY, None])
    page = Page(text)
    assert not page.tags & {"script", "link", "iframe", "img", "object", "embed", "a", "form"}
    for _, attributes in page.found:
        assert not {"src", "href", "srcset", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)


def test_mistakes_have_players_and_missing_genres_are_said(folder: Path, tmp_path: Path) -> None:
    found = evaluated(folder, TINY, split=honest(tmp_path), subset="valid")
    (name,) = report.played(found)
    text = report.render(found, histories=[None], sounds={name: b"mp3"})
    assert text.count("<audio ") == 1 and 'src="data:audio/mpeg;base64,' in text
    assert (
        "Not measured, for lack of tracks: blues. Macro F1 covers the other 2." in Page(text).text
    )
    assert "<audio " not in report.render(found, histories=[None])


def test_it_follows_light_and_dark_and_fits_a_phone(folder: Path) -> None:
    text = report.render(evaluated(folder, TINY), histories=[None])
    assert "prefers-color-scheme: dark" in text
    viewport = ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    assert viewport in Page(text).found
    drawn = "".join(re.findall(r"<svg.*?</svg>", text))
    assert "#" not in drawn, "a colour that does not follow the page"


def test_curves_of_a_history(folder: Path) -> None:
    text = report.render(evaluated(folder, TINY), histories=[HISTORY])
    assert "Training: loss" in Page(text).text and "valid, tracks" in Page(text).text
    short = {name: values[:1] for name, values in HISTORY.items()}
    for less in (short, {"epoch": [1, 2]}, {}):
        assert (
            "Training:" not in Page(report.render(evaluated(folder, TINY), histories=[less])).text
        )


def test_names_from_outside_are_text(tmp_path: Path) -> None:
    rows = [*ROWS, Row(f"blues/{EVIL}.wav", EVIL, [(0.0, 0.9, 0.1)]), Row("<i>/z", "z", [LOW])]
    folder = fill(tmp_path / EVIL.replace("/", "_"), TINY.encoder_sha256, rows)
    head = replace(
        tiny_head(),
        labels=("blues", "jazz", "metal", "<i>"),
        weight=8 * np.eye(3, 4),
        bias=np.zeros(4),
    )
    model = replace(TINY, name=EVIL, head=head, training={"split": EVIL, "data": EVIL})
    result = evaluated(folder, model, model, names=["<b>.tonearm", "a&b.tonearm"])
    failed = replace(result, failed=((f"{EVIL}.mp3", f"bad {EVIL}"),))
    text = report.render(failed, histories=[None, None])
    page = Page(text)
    assert not page.tags & {"script", "i"} and "b" in page.tags
    assert "<script" not in text
    assert f"blues/{EVIL}.wav" in page.text and f"bad {EVIL}" in page.text
    assert "<b> and a&b on" in page.text


def test_names_that_are_no_unicode(tmp_path: Path) -> None:
    rows = [*ROWS, Row("blues/\udcff\n.wav", "x", [(0.0, 0.9, 0.1)])]
    folder = fill(tmp_path / "d", TINY.encoder_sha256, rows)
    text = report.render(evaluated(folder, TINY), histories=[None])
    data = text.encode("utf-8", "backslashreplace")
    assert b"blues/\\udcff" in data


def test_leaks_are_said_before_any_figure(folder: Path, tmp_path: Path) -> None:
    names = tuple(row.name for row in ROWS)
    split = Split("leaking-tracks-0", {"train": names[:1], "valid": names[1:]})
    split.save(tmp_path / "s")
    text = report.render(evaluated(folder, TINY, split=tmp_path / "s"), histories=[None])
    warning = text.index('class="leak"')
    assert warning < text.index("tracks right") and "leaks on purpose" in text
    assert text.count("leaks on purpose") == 1
    assert '<em class="flag">leaks</em>' in text
    plain = report.render(evaluated(folder, TINY), histories=[None])
    assert 'class="leak"' not in plain and 'class="flag"' not in plain


def test_leaked_and_honest_never_share_a_table(folder: Path) -> None:
    leaking = replace(TINY, training={"split": "leaking-x", "leaks": True})
    text = report.render(evaluated(folder, TINY, leaking), histories=[None, None])
    tables = re.findall(r"<table class=rows>.*?</table>", text)
    side_by_side = [table for table in tables if "won : lost" in table]
    assert len(side_by_side) == 2
    assert "row>0" in side_by_side[0] and "row>1" not in side_by_side[0]
    assert "not comparable: one of the two leaks" in side_by_side[1]
    assert "these leak, so they are too good" in text


def test_runs_are_called_by_their_folder(folder: Path) -> None:
    names = ["runs/first/model.tonearm", "runs/second/model.tonearm"]
    page = Page(report.render(evaluated(folder, TINY, TINY, names=names), histories=[None, None]))
    assert "first and second on data" in page.text
    same = ["a/x.tonearm", "b/x.tonearm"]
    page = Page(report.render(evaluated(folder, TINY, TINY, names=same), histories=[None, None]))
    assert "a/x.tonearm and b/x.tonearm on data" in page.text


def test_a_model_that_makes_no_mistake_or_answers_nothing(tmp_path: Path) -> None:
    folder = fill(tmp_path / "d", TINY.encoder_sha256, ROWS[:1])
    assert "None." in Page(report.render(evaluated(folder, TINY), histories=[None])).text
    silent = replace(TINY, head=replace(tiny_head(), min_confidence=1.0))
    page = Page(report.render(evaluated(folder, silent), histories=[None]))
    assert "none of these right; 1 called unknown, 1 of them wrongly" in page.text


def test_ticks_by_hand() -> None:
    assert charts.ticks(0, 1, count=5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert charts.ticks(0.45, 1.02, count=6) == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1])
    assert charts.ticks(1, 50, count=5) == pytest.approx([10, 20, 30, 40, 50])
    assert charts.ticks(1, 4, count=6, least=1) == pytest.approx([1, 2, 3, 4])


@given(low=st.floats(-1e3, 1e3), width=st.floats(1e-3, 1e3), count=st.integers(2, 9))
def test_ticks_lie_inside_and_are_few(low: float, width: float, count: int) -> None:
    found = charts.ticks(low, low + width, count=count)
    slack = 1e-6 * (abs(low) + width)
    assert all(low - slack <= tick <= low + width + slack for tick in found)
    assert len(found) <= count + 1


def test_points_land_where_they_belong() -> None:
    text = charts.chart(
        [Series("<a>", [(0, 0), (1, 1)], radii=[3, 3], notes=["p", "<q>"])],
        title='"t"',
        x_label="x",
        y_label="y",
        x=(0, 1),
        y=(0, 1),
        as_percent=(True, True),
    )
    page = Page(text)
    line = next(attributes for tag, attributes in page.found if tag == "polyline")
    assert line["points"] == "38.0,214.0 320.0,24.0"
    assert "<a>" in page.text and "<q>" in page.text
    assert page.found[0][1]["aria-label"] == '"t"'


def test_intervals_stay_on_their_line() -> None:
    page = Page(charts.interval(0.5, -2, 0.75))
    lines = [attributes for tag, attributes in page.found if tag == "line"]
    assert (lines[-1]["x1"], lines[-1]["x2"]) == ("0.00%", "75.00%")
    marked = Page(charts.interval(0, -1, 1, stretch=(-1, 1), mark=0))
    assert ("50.00%") in [a.get("x1") for tag, a in marked.found if tag == "line"]


@given(name=st.text(alphabet="<>&\"'/=-!ab é", max_size=12))
def test_any_name_is_text(name: str) -> None:
    text = charts.chart(
        [Series(name, [(0, 0), (1, 1)])], title=name, x_label=name, y_label=name, x=(0, 1), y=(0, 1)
    )
    assert Page(text).tags <= {"svg", "line", "text", "polyline"}


@pytest.mark.parametrize("width", [1080, 760])
def test_long_names_of_models_push_no_column_off(browser: Any, tmp_path: Path, width: int) -> None:
    folder = fill(tmp_path / "data", TINY.encoder_sha256)
    names = [
        f"runs/a-network-with-{word}-settings-that-its-name-says/model.tonearm"
        for word in ("many-hidden-units", "another-learning-rate")
    ]
    made = evaluated(folder, TINY, TINY, names=names)
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_content(report.render(made, histories=[None, None]))
    hidden = page.evaluate(
        "[...document.querySelectorAll('.scroll')].map(e => e.scrollWidth - e.clientWidth)"
    )
    page.close()
    assert max(hidden) <= 0, hidden
