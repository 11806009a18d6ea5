"""Descriptions of diffusion models, as diffusers' own configuration files: what to build where there are no weights."""
