"""Landmarks of faces that a detector has found, looked for once more on upright close-ups."""
