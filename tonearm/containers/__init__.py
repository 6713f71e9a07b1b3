"""Containers: where the sound, the tags and the padding of a file lie, one walker per format."""
