"""The command line: one file a group of commands; each parses, imports late, and calls."""
