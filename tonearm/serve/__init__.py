"""The local page and its HTTP API; the only door to the web framework."""
