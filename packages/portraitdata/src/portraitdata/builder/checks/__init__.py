"""Checks of a portrait index against its archives: whether every row is what it says."""
