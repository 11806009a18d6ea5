"""Report of a build: dropped, kept and similar images, as one HTML page that needs nothing else."""
