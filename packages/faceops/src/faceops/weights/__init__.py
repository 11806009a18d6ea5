"""Weights by name: the table, the cache and the download."""
