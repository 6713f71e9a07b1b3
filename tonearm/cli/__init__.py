"""The command line: one file per command, which parses options, imports late and calls the rest."""
