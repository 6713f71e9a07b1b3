"""Networks and heads that can be trained; the doors to torch and scikit-learn."""
