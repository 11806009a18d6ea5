"""How the shipped weights were trained: scores by step, and the figure of them."""
