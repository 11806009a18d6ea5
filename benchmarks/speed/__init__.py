"""Time and memory, each against the usual way to do the same, and against what the machine allows."""
