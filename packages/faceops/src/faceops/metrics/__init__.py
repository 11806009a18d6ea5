"""Metrics of restored portraits: a pure function and a torchmetrics class for each."""
