"""What errors say to the person who meets them; without the parser of command lines."""

from pathlib import Path


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


def as_sentence_about(error: Exception, file: Path) -> str:
    """Text of an error, with the name of the file that it is about in front where it does not say it itself.

    Example:
        >>> as_sentence_about(ValueError("It is too dark."), Path("a.png"))
        'a.png: It is too dark.'
        >>> as_sentence_about(ValueError("a.png is empty."), Path("a.png"))
        'a.png is empty.'
    """
    sentence = as_sentence(error)
    return sentence if isinstance(error, OSError) or str(file) in sentence else f"{file}: {sentence}"


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether Python or torch, on any device, could not allocate memory.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate"))
        (True, True)
        >>> is_out_of_memory(ValueError("k must be odd"))
        False
    """
    told = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in told or "can't allocate memory" in told
