"""``tonearm serve``: the page and its API on this machine."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path
from typing import Annotated

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Location, ModelOption, chosen_model, location
from tonearm.errors import TonearmError, pip_install

# Not 8000 or 8080, where something else often listens.
_DEFAULT_PORT = 8137


def serve(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Folders that the page may scan.")
    ] = None,
    library: Location = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")
    ] = _DEFAULT_PORT,
    host: Annotated[
        str, typer.Option(help="Address to listen on. All but 127.0.0.1 need a token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            envvar="TONEARM_TOKEN",
            help="Token for other machines. [default: made if needed]",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="Another site (https://…) that may use the API."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    model: ModelOption = None,
    device: console.Device = "auto",
    verbose: console.Verbose = False,
) -> None:
    """Open a local page in your browser.

    Drop songs on the page to see their genre, review your library, and write genres.
    """
    # Here, since every command starts by loading this file.
    import secrets
    import threading
    import webbrowser
    from urllib.parse import quote

    try:
        from tonearm.serve.app import create_app
        from tonearm.serve.guard import is_loopback, machine_names
        from tonearm.serve.run import run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tonearm"):
            raise
        raise TonearmError(
            f"the page needs {error.name}, which is not installed: {pip_install('serve')}"
        ) from None
    for folder in folders or ():
        if not folder.is_dir():
            words = "is not a folder" if folder.exists() else "does not exist"
            raise typer.BadParameter(f"{console.printable(folder)}: {words}", param_hint="FOLDERS")
    place = location(library)
    local = is_loopback(host)
    if token is None and not local:
        # 18 bytes, 144 bits: not to be guessed, and still short enough to copy.
        token = secrets.token_urlsafe(18)
    app = create_app(
        place,
        _checked(place, model),
        token,
        folders=folders or (),
        # Only names of this machine: others can be made to point here (DNS rebinding).
        names={host} if local else {host, *machine_names()},
        any_address=not local,
        origins=[_origin(site) for site in allow_origin or ()],
    )
    with contextlib.closing(_listening(host, port)) as listener:
        # Port 0 asks the system for a free one.
        port = listener.getsockname()[1]
        query = f"?token={quote(token, safe='')}" if token else ""
        everywhere = host in {"0.0.0.0", "::"}  # noqa: S104 - compared only
        here = f"{_address('127.0.0.1' if everywhere else host, port)}{query}"
        shown = f"{_address(own_address(listener.family), port)}{query}" if everywhere else here
        console.say(f"Tonearm listens at {shown}  (Ctrl-C ends it)")
        if not local:
            console.say(
                "Other machines on the network can reach it. The connection is not encrypted."
            )
        if browser:
            # Half a second: the server starts after this line, and must answer the browser.
            threading.Timer(0.5, webbrowser.open, [here]).start()
        with console.quiet_decoders():
            run(app, listener, verbose=verbose)


def _checked(place: Path, model: Path | None) -> Path | None:
    """The model, once the library was opened: what is wrong with it is said before the page is."""
    from tonearm.library.store import Library
    from tonearm.model import file as model_file

    if not place.exists():
        return model_file.named(model)
    with Library(place) as opened:
        return chosen_model(opened, model)


def _origin(site: str) -> str:
    """A site as browsers name it: scheme and host, and the port if it is not the usual one."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(site.strip())
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        port = f":{parts.port}" if parts.port not in {None, usual} else ""
        host = parts.hostname
    except ValueError:
        host, usual, port = None, None, ""
    if usual is None or not host or parts.path not in {"", "/"} or parts.query or "*" in site:
        raise typer.BadParameter(
            f"{console.printable(site)} is not a site such as https://example.org",
            param_hint="--allow-origin",
        )
    return f"{parts.scheme}://[{host}]{port}" if ":" in host else f"{parts.scheme}://{host}{port}"


def _address(name: str, port: int) -> str:
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def own_address(family: socket.AddressFamily) -> str:
    """The address at which others reach this machine, or its name if it has none.

    Parameters
    ----------
    family : AddressFamily
        IPv4 or IPv6, as the server listens.
    """
    # Addresses for documentation (RFC 5737, 3849); a datagram's socket sends nothing to connect.
    remote = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((remote, 9))
            return str(probe.getsockname()[0])
    except OSError:  # no way out
        return socket.gethostname()


def _listening(host: str, port: int) -> socket.socket:
    """A socket at that address; one that cannot be had is one plain line."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # the latter of names that are too long for one
        reason = error.strerror if isinstance(error, OSError) else "no name of a machine"
        raise TonearmError(f"{host}: {reason}; choose another with --host") from None
    try:
        # Else a restart would have to wait a minute for old connections.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            words = f"{host} is not an address of this machine; choose another with --host"
        elif error.errno == errno.EADDRINUSE:
            words = f"port {port} of {host} is in use; choose another with --port"
        else:
            words = f"port {port} of {host}: {error.strerror}; choose another with --port"
        raise TonearmError(words) from None
    return listener
