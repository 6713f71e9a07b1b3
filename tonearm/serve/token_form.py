"""The form for people who open the page without its token, and the cookie that they then have."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, quote

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive

COOKIE = "tonearm"
PATH = "/token"
_MOST_BYTES = 4_096


def entered(token: str) -> Response:
    """To the page, with the token in a cookie.

    Parameters
    ----------
    token : str
        The right one.
    """
    response = RedirectResponse("/", status_code=303)
    # Quoted: a cookie holds neither spaces nor letters of all alphabets.
    cookie = quote(token, safe="")
    response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", path="/")
    return response


@cache
def _page() -> str:
    return (Path(__file__).parent / "static" / "token.html").read_text(encoding="utf-8")


def form(policy: str, *, wrong: bool = False) -> Response:
    """The form; ``policy`` is that of the page.

    Parameters
    ----------
    policy : str
        Content-Security-Policy of the other pages.
    wrong : bool
        Whether another token was sent before.
    """
    page = _page()
    if wrong:
        page = page.replace("hidden", "", 1)
    policy = policy.replace("form-action 'none'", "form-action 'self'")
    # Its few rules of style stand in it, since no file of the page is given without the token.
    policy = policy.replace("style-src 'self'", "style-src 'unsafe-inline'")
    headers = {
        "Content-Security-Policy": policy,
        # With "no-referrer" browsers send the form with `Origin: null`, as from a foreign page.
        "Referrer-Policy": "same-origin",
        "WWW-Authenticate": "Bearer",
    }
    return HTMLResponse(page, status_code=401, headers=headers)


async def given(receive: Receive) -> str:
    """The token that somebody sent by the form.

    Parameters
    ----------
    receive : callable
        The body of the request, as ASGI gives it.
    """
    body = b""
    while len(body) < _MOST_BYTES:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    text = body[:_MOST_BYTES].decode("utf-8", "replace")
    return parse_qs(text).get("token", [""])[0].strip()
