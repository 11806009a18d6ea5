"""Weights: those of others by name, with table, cache and download; and the files of those that come along."""
