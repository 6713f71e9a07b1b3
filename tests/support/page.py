"""What tests of the page do again and again: ask its server, open its list, wait for reviews."""

from __future__ import annotations


def api(page, path):
    return page.evaluate("path => fetch('/api/v1' + path).then((answer) => answer.json())", path)


def wait_until_sent(page):
    """No string becomes a script on this page, so Playwright's own waiting does not work."""
    while page.evaluate("() => localStorage.getItem('tonearm.reviews')") != "[]":
        page.wait_for_timeout(20)


def open_list(page, address, query=""):
    page.goto(f"{address}/#list{query}")
    page.locator("#row-0 .name").wait_for()


def current(page):
    return page.locator(".row.current .name").inner_text()


def correct_twenty(page, genre):
    """Enough corrections to learn from: the first twenty tracks are of that genre."""
    page.evaluate(
        """genre => fetch('/api/v1/review', {method: 'POST', headers:
        {'Content-Type': 'application/json'}, body: JSON.stringify({verdict: 'change',
        genre, ids: [...Array(20).keys()].map((i) => i + 1)})})""",
        genre,
    )
