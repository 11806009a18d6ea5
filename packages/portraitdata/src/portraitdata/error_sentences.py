"""Errors in words for whoever typed a command."""


def as_sentence(error: Exception) -> str:
    """Text of an error; one of the operating system without its number, and with the file it is about.

    Example:
        >>> as_sentence(PermissionError(13, "Permission denied", "a.png")), as_sentence(OSError("a.png ends early."))
        ('a.png: Permission denied.', 'a.png ends early.')
    """
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    reason = f"{error.strerror}."
    return f"{error.filename}: {reason}" if error.filename else reason
