"""Face detection at every scale."""
