"""Arguments that a config file after them would undo."""

from collections.abc import Sequence

CONFIG_FLAGS = "--config", "-c"


def undone_by(argv: Sequence[str]) -> tuple[str, str] | None:
    """First argument that stands before a config, and that config; None if all configs stand first.

    Args:
        argv: Words of the command line.

    Example:
        >>> undone_by(["fit", "--trainer.max_steps", "2", "--config", "smoke.yaml"])
        ('--trainer.max_steps', 'smoke.yaml')
        >>> undone_by(["fit", "-c", "smoke.yaml", "--trainer.max_steps=2"]) is None
        True
    """
    earlier: str | None = None
    for number, word in enumerate(argv):
        flag, _, value = word.partition("=")
        if flag in CONFIG_FLAGS:
            if earlier is not None:
                return earlier, value or " ".join(argv[number + 1 : number + 2])
        elif flag.startswith("--") and flag != "--print_config":
            earlier = earlier or flag
    return None
