"""Weights of red, green and blue in one channel."""

BT601_LUMA = (0.299, 0.587, 0.114)
"""Those of the luma of ITU-R BT.601."""
