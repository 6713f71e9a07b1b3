"""The five example pieces: one module each, ``score`` for notes, ``studio`` for sound."""
