"""Upscaling of photographs of any size with exemplars."""
