"""The first check of every request: its host, its page, its token; and headers of every answer.

A page of another origin can send requests to this machine, or point its own name at it (DNS
rebinding): so Host must be an address or name of this machine, and anything a browser sends on
behalf of another page is refused. Plain ASGI; imports nothing of Tonearm but problems.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import socket
from collections.abc import Collection
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tonearm.serve import token_form
from tonearm.serve.problems import problem

_WRONG_TOKEN_S = 0.5
MAX_BODY_BYTES = 2 * 2**20  # of everything but uploads, which count for themselves
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# "none": the person typed the address, or followed a bookmark.
_OWN = frozenset({"same-origin", "none"})

_POLICY = "; ".join(
    (
        # Only from here: markup in the tag of a file can then load nothing and run nothing.
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no string ever becomes markup
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
}

_OF_FORM = ("Content-Security-Policy", "Referrer-Policy")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address.

    Parameters
    ----------
    host : str
        A name or an address.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Middleware round the whole application.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    token : str or None
        What every request must bring (cookie or ``Authorization: Bearer``); None asks for nothing.
    names : collection of str
        Host names besides those of the loopback.
    any_address : bool
        Whether every numerical address is a good host: it cannot be rebound.
    origins : collection of str
        Other sites, as ``https://example.org``, whose pages may use the API (CORS).
    upload_paths : collection of str
        The paths whose bodies are not limited here.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None = None,
        names: Collection[str] = (),
        any_address: bool = False,
        origins: Collection[str] = (),
        upload_paths: Collection[str] = (),
    ) -> None:
        self._app, self._token, self._upload_paths = app, token, upload_paths
        # By name, against DNS rebinding: a page may let its own name lead here, but its browser
        # still sends that name.
        self._names = _LOCAL_NAMES | {name.lower() for name in names}
        self._any_address = any_address
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with a limited body and guarded headers."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        # There are no websockets; 1008 is "policy violation" (RFC 6455).
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        shared = self._shared_with(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (_HEADERS | _sharing(shared)).items():
                    # The form for the token is the one page with policies of its own.
                    if name not in _OF_FORM or name not in headers:
                        headers[name] = value
                headers.setdefault("Cache-Control", "no-store")  # answers hold private paths
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None and shared and _is_preflight(scope):
            refusal = Response(status_code=204)
        if refusal is not None and refusal.status_code == 401 and self._token is not None:
            refusal = await self._asked_for_token(scope, receive) or refusal
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        limited = receive if scope["path"] in self._upload_paths else _limited(receive)
        if scope["method"] == "HEAD":
            await _head(self._app, scope, limited, send_guarded)
        else:
            await self._app(scope, limited, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_own(host):
            # 421 (RFC 9110): the request reached a server that does not answer for that name.
            return problem(421, "foreign-host", f"this server does not answer for host {host!r}")
        if self._is_foreign(scope, headers, host):
            return problem(403, "foreign-origin", "another site's page may not use this server")
        # A browser asks first, without the token, whether the page may send it.
        asks = _is_preflight(scope) and self._shared_with(scope) is not None
        if self._token is None or asks or self._has_token(headers):
            return None
        if scope["path"] == "/" and scope["method"] == "GET":
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if self._fits(given):
                # The token moves from the address, which is shown and kept, into a cookie.
                return token_form.entered(given)
        words = (
            "open the address with ?token=... that `tonearm serve` printed; "
            "a program sends the header `Authorization: Bearer TOKEN`"
        )
        return problem(401, "no-token", words, headers={"WWW-Authenticate": "Bearer"})

    async def _asked_for_token(self, scope: Scope, receive: Receive) -> Response | None:
        """For people without the token: a form, and what they send by it; None for programs."""
        if scope["path"] == token_form.PATH and scope["method"] == "POST":
            given = await token_form.given(receive)
            if self._fits(given):
                return token_form.entered(given)
            # Nobody guesses 144 bits, but a token of one's own may be short.
            await asyncio.sleep(_WRONG_TOKEN_S)
            return token_form.form(_POLICY, wrong=True)
        headers = Headers(scope=scope)
        wants_page = "text/html" in headers.get("accept", "") and scope["method"] == "GET"
        return (
            token_form.form(_POLICY)
            if wants_page and not scope["path"].startswith("/api/")
            else None
        )

    def _shared_with(self, scope: Scope) -> str | None:
        """The other site behind a request, if it may use what is asked for."""
        origin = Headers(scope=scope).get("origin")
        path: str = scope["path"]
        is_api = path.startswith("/api/") or path == "/openapi.json"
        return origin if is_api and origin in self._origins else None

    def _is_own(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            _ = urlsplit(f"//{host}").port  # raises if it is not a number
        except ValueError:
            return False
        # urlsplit ends or shifts the host at these, and might see another one than browsers do.
        if any(sign in host for sign in "/?#@\\"):
            return False
        if name in self._names:
            return True
        if not self._any_address:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_foreign(self, scope: Scope, headers: Headers, host: str) -> bool:
        """Whether a browser says that another page is behind the request."""
        if self._shared_with(scope):
            return False
        # A link from anywhere may open the page, as long as it only reads and is no API.
        opens_page = (
            scope["method"] in _READING
            and headers.get("sec-fetch-mode") == "navigate"
            and not scope["path"].startswith("/api/")
        )
        if opens_page:
            return False
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope['scheme']}://{host}":
            return True
        # Old browsers and other programs send no such header: Origin and Host decide then.
        return headers.get("sec-fetch-site", "none") not in _OWN

    def _has_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._fits(given):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(token_form.COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._fits(unquote(cookie.value))

    def _fits(self, given: str) -> bool:
        # In constant time: how long a wrong token takes must not say how much of it is right.
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())


def machine_names() -> set[str]:
    """Names by which others on the network may call this machine."""
    name = socket.gethostname().lower()
    return {name, f"{name.split('.')[0]}.local"}


def _sharing(origin: str | None) -> dict[str, str]:
    """Headers of an answer to another site's page that may have it; without cookies."""
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Accept",
        "Access-Control-Expose-Headers": "Retry-After",
        "Access-Control-Allow-Private-Network": "true",  # from a public site to this machine
        "Access-Control-Max-Age": "600",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Origin",
    }


def _is_preflight(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


class _AnsweredError(Exception):
    """The headers are sent: the body is not wanted."""


# FastAPI's routes for GET do not answer HEAD.
async def _head(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer HEAD as GET without its body, which is not made where it would be streamed."""

    async def send_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            raise _AnsweredError

    with suppress(_AnsweredError):
        await app({**scope, "method": "GET"}, receive, send_headers)


def _limited(receive: Receive) -> Receive:
    seen = 0

    async def receive_limited() -> Message:
        nonlocal seen
        # Counted as it comes: Content-Length may be missing, or wrong.
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY_BYTES:
            raise HTTPException(413, f"a request of more than {MAX_BODY_BYTES:,} bytes")
        return message

    return receive_limited
