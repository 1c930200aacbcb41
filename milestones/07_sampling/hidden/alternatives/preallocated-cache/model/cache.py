"""Nothing is kept here: see transformer.py."""
