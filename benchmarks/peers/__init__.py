"""Networks of others, written from their papers and the layout of their published weights, to compare with."""
