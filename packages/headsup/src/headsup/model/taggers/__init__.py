"""Taggers: networks that name what is on pictures."""
