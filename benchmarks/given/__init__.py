"""Benchmarks of what somebody gives: restorers, folders of outputs, test sets."""
