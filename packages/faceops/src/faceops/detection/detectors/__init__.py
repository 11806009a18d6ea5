"""Face detectors, one network a file."""
