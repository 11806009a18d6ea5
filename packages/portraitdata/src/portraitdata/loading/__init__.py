"""Loading: order of samples, resumption, memory shared by workers, tables."""
