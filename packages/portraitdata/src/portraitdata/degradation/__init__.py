"""Degradation: how a sharp photograph becomes the blurred, small, noisy, compressed one that a network restores."""
