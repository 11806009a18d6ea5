"""Training and test data of a restorer of whole portraits: index, windows, references, mixtures, paired test sets."""
