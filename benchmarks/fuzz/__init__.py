"""Damaged files for every command, and what the commands make of them."""
