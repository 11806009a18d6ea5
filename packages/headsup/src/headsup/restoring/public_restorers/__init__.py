"""Restorers that others have published, for blending: files that spandrel knows, and Real-ESRGAN's large network."""
