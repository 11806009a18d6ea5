"""Restoration of whole portrait photographs in one diffusion step, with an optional reference face (HeadsUp)."""
