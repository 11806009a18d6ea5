"""Restoring photographs of any size, with or without reference faces."""
