"""What MkDocs does to each page besides its own: docstrings name things as Sphinx would."""

from __future__ import annotations

import re

_ROLE = re.compile(r":(?:meth|class|func|mod|attr):<code>~?([^<]+)</code>")


def on_page_content(html: str, **_: object) -> str:
    """Show ``:class:`tonearm.database.Database` `` as plain code."""
    return _ROLE.sub(r"<code>\1</code>", html)
