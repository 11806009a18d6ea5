"""Geometry of faces: boxes, landmarks, similarity transforms, warping, alignment and pasting."""
