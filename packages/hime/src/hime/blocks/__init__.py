"""The parts of the network, one concept a file, named as in HIME, Section 3."""
