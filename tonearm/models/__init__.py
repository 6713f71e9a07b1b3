"""Networks and heads that can be trained; with training/ the only doors to torch and scikit-learn."""
