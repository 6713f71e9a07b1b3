"""The local page and its HTTP API; the only modules that import the web framework."""
