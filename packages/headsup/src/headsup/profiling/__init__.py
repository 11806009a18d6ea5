"""Size of a restorer: parameters, memory and multiply-accumulates."""
