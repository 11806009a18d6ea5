"""Evaluation: quality, size and what the correlation loss sees."""
