"""Corpora: the embedded one, whose entropy is known, real ones through `datasets`, and token files made of either."""
