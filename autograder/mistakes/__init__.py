"""The catalogue of known mistakes, and how a failing submission is matched with it."""
