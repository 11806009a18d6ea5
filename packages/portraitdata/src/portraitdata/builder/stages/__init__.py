"""Stages of a build, and the rules that they follow."""
