"""Networks of others that losses and metrics compare by, and safe reading of their weights."""
