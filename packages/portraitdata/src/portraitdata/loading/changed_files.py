"""The error of files that are no longer what they were."""


class ChangedFileError(OSError):
    """A file that lacks what it held when it was indexed: the fault of the file, not of the place that it is in."""
