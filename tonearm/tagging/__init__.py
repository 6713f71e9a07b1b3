"""Writing genre tags, and taking them back."""
