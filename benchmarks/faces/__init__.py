"""Faces: how well they are found, told apart, and put back without a seam."""
