"""Image files: decoding, encoding, colour profiles and metadata."""
