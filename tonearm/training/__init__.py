"""Fitting, exporting and measuring models."""
