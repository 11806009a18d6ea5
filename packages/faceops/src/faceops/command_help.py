"""Help of commands: options of users first, those of experts with ``--help-all`` only, and an example."""

import inspect
import re
from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Annotated, Any, TypeVar, get_type_hints

from jsonargparse import DefaultHelpFormatter

from faceops.progress.verbosity import VERBOSITY, Verbosity

EXPERT = "expert"
"""Mark of the type of an option that few need."""

Option = TypeVar("Option")

Expert = Annotated[Option, EXPERT]
"""Type of an option that few need: only ``--help-all`` explains it."""

NUMBERS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
"""Types of Python, as people call them."""

CONFIG_OPTIONS = ("config", "print_config")
"""Options that jsonargparse adds to every command."""


def expert_options(command: Callable) -> set[str]:
    """Names of the options that few need, of a dataclass or a function.

    Example:
        >>> def blur(sigma: float, kernel: Expert[str]) -> None: ...
        >>> expert_options(blur)
        {'kernel'}
    """
    hints = get_type_hints(command, include_extras=True)
    return {name for name, hint in hints.items() if EXPERT in getattr(hint, "__metadata__", ())}


def example_of(command: Callable) -> str:
    """Command line under ``Example:`` at the end of a docstring; empty if there is none.

    Example:
        >>> def blur(image: str) -> None:
        ...     '''Blur.
        ...
        ...     Example:
        ...         blur a.png
        ...     '''
        >>> example_of(blur)
        'blur a.png'
    """
    _, _, below = inspect.cleandoc(command.__doc__ or "").partition("\nExample:\n")
    return inspect.cleandoc(below)


class PlainHelp(DefaultHelpFormatter):
    """Formatter that tells no types of Python, and defaults only where they say something."""

    def _get_help_string(self, action: Action) -> str:
        text = action.help or ""
        silent = action.default is None or action.default in (False, "", SUPPRESS) or not action.option_strings
        # a nested dataclass, and what is a list, say nothing either where they are empty
        if silent or (isinstance(action.default, Sequence) and not action.default):
            return text
        default = action.default
        listed = " ".join(map(str, default)) if isinstance(default, list | tuple) else str(default)
        return f"{text} (default: {listed.lower() if isinstance(default, bool) else listed})"

    def _format_action_invocation(self, action: Action) -> str:
        if not action.option_strings or isinstance(action.choices, dict):
            return super()._format_action_invocation(action)
        names = [name for name in action.option_strings if "_" not in name or name == "--print_config"]
        arguments = "" if action.nargs == 0 else f" {self._format_args(action, action.dest.rsplit('.')[-1].upper())}"
        return f"{', '.join(names)}{arguments}"

    def _format_args(self, action: Action, default_metavar: Any) -> str:  # noqa: ANN401 - argparse gives None, too
        if action.nargs == "+":
            return f"{self._metavar_formatter(action, default_metavar)(1)[0]} ..."
        return super()._format_args(action, default_metavar)


class HelpAll(Action):
    """Print the help with the options of experts, and end."""

    def __init__(self, option_strings: Sequence[str], dest: str = SUPPRESS, help: str | None = None) -> None:
        super().__init__(option_strings, dest=SUPPRESS, default=SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: Any = None) -> None:  # noqa: ANN401
        """Print and end."""
        print(parser.format_help_all(), end="")  # type: ignore[attr-defined]
        parser.exit()


class SayAsMuch(Action):
    """Let the command say less or more, see `faceops.progress.verbosity`."""

    def __init__(self, option_strings: Sequence[str], dest: str = SUPPRESS, help: str | None = None) -> None:
        super().__init__(option_strings, dest=SUPPRESS, default=SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: Any = None) -> None:  # noqa: ANN401
        """Set it for all that follows."""
        VERBOSITY.set(Verbosity(option_string))


def plain_error(message: str) -> str:
    r"""What is wrong with a command line, without types of Python; what is not known stays as it is.

    Args:
        message: Of jsonargparse.

    Example:
        >>> plain_error("Parser key \"tile_side\":\n  Expected a <class 'int'>. Got value: x")
        '--tile-side must be a whole number, got x.'
        >>> plain_error("Parser key \"colour\": Expected a typing.Literal['rgb', 'grey']. Got value: x")
        '--colour must be one of rgb, grey; got x.'
        >>> plain_error("the following arguments are required: restore.inputs, restore.output")
        'These are missing: inputs, output.'
    """
    _, required, missing = message.partition("the following arguments are required: ")
    if required:
        return f"These are missing: {', '.join(name.rpartition('.')[2] for name in missing.split(', '))}."
    name, value = re.match(r'Parser key "([\w.]+)"[^:]*:', message), re.search(r"(?:Got|Given) value: (.*)", message)
    choices, number = re.search(r"Literal\[(.*?)\]", message), re.search(r"<class '(int|float|bool)'>", message)
    if name is None or value is None:
        return message
    option = f"--{name[1].replace('_', '-')}"
    if choices is not None:
        named = choices[1].replace("'", "")
        return f"{option} must be one of {named}; got {value[1]}."
    return message if number is None else f"{option} must be {NUMBERS[number[1]]}, got {value[1]}."


def short_usage(program: str, actions: Iterable[Action], required: Collection[str]) -> str:
    """Usage that names what must be given.

    Args:
        program: Name of the program with that of the command.
        actions: All arguments.
        required: Destinations of options that must be given.
    """
    words = []
    for action in actions:
        name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        several = " ..." if action.nargs == "+" else ""
        if isinstance(action.choices, dict):
            words.append("COMMAND ...")
        elif not action.option_strings:
            words.append(f"[{name}]" if action.nargs == "?" else f"{name}{several}")
        elif action.dest in required:
            words.append(f"{action.option_strings[0]} {name}{several}")
    return " ".join([program, *words, "[options]"])


def configs_first(words: Sequence[str]) -> list[str]:
    """Words of a command with those of ``--config`` before all others, since a later file undoes what was said before.

    Values on the command line then count, wherever they stand. Among several files the last counts still.

    Example:
        >>> configs_first(["a.png", "--scale", "2", "--config", "c.yaml", "--quiet"])
        ['--config', 'c.yaml', 'a.png', '--scale', '2', '--quiet']
    """
    end = words.index("--") if "--" in words else len(words)
    parts: list[list[str]] = [[]]
    for word in words[:end]:
        if word.startswith("-"):
            parts.append([])
        parts[-1].append(word)
    parts.sort(key=lambda part: not (part and part[0].partition("=")[0] in ("--config", "-c")))
    return [word for part in parts for word in part] + list(words[end:])
