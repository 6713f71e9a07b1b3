"""The model: encoders, head, out-of-domain detector, and the file that holds them."""
