"""Shared parts of the training commands of the model packages; needs Lightning."""
