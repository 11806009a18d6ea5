"""What a build dropped and why, what it kept, and what is alike in it: one HTML page that needs nothing else."""
