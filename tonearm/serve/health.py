"""``python -m tonearm.serve.health``: whether a server answers, for a container's health check.

Needs nothing but the standard library: a check runs every half minute.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

_ADDRESS = "http://127.0.0.1:8137/api/v1/health"
_PATIENCE_S = 4.0


def main(address: str = _ADDRESS) -> int:
    """Ask for the state of the server; 0 if it is well, else 1.

    Parameters
    ----------
    address : str
        URL of the server's ``/health``.
    """
    request = urllib.request.Request(address)  # noqa: S310 - our own address
    if token := os.environ.get("TONEARM_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S):  # noqa: S310
            return 0
    except urllib.error.HTTPError as error:
        # Another token than ours was made: it is there, and guards itself.
        return 0 if error.code == 401 else 1
    except OSError as error:
        print(f"no answer from {address}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
