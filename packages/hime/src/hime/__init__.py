"""HIME: headshot super-resolution from any number of photographs of the same person."""
