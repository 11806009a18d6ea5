"""Face recognition networks: one architecture a file, each with the key table of its published weights."""
