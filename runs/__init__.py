"""Scripts that make a shipped file or a published figure; ``README.md`` says which makes which."""
