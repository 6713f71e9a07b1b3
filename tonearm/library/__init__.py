"""The library of heard tracks: SQLite, scanning, searching."""
