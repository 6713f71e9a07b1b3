"""Styles: a strong tag under its own genre, three at most."""

from __future__ import annotations

from tonearm.model.styles import MOST, Style, styles_of

PUNK = Style("Punk", "punk", 0.25, ("metal", "rock"))
INDIE = Style("Indie", "indie", 0.1, ("rock", "pop"))


def test_only_under_its_genre_and_above_its_limit() -> None:
    tags = {"punk": 0.25, "indie": 0.09}
    assert styles_of([PUNK, INDIE], "rock", tags) == {"Punk": 0.25}
    assert styles_of([PUNK, INDIE], "pop", tags) == {}
    assert styles_of([PUNK, INDIE], None, tags) == {}
    assert styles_of([PUNK], "rock", {"punk": 0.2499}) == {}


def test_the_one_that_stands_out_most_comes_first() -> None:
    # 0.3 is 1.2 times the limit of punk, 0.2 twice that of indie.
    assert list(styles_of([PUNK, INDIE], "rock", {"punk": 0.3, "indie": 0.2})) == ["Indie", "Punk"]


def test_at_most_three() -> None:
    many = [Style(f"S{i}", f"t{i}", 0.1, ("rock",)) for i in range(5)]
    found = styles_of(many, "rock", {f"t{i}": 0.1 * (i + 1) for i in range(5)})
    assert MOST == 3 and list(found) == ["S4", "S3", "S2"]
