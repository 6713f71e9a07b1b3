"""The library of analysed tracks: SQLite, scanning, searching."""
