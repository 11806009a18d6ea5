"""Command lines as shells write them, from dataclasses of options or the signatures of functions.

jsonargparse alone wants ``'["a.jpg", "b.jpg"]'`` for a list, ``--json true`` for a switch and ``--input_side 640``.
This parser takes ``a.jpg b.jpg``, ``--json`` and ``--input-side 640``.
"""

import codecs
import inspect
import io
import os
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from importlib.metadata import version
from pickle import UnpicklingError
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace, auto_cli

from faceops.settings_files import bound_settings

Commands = Mapping[str, "Callable[..., int | None] | str | Commands"]
"""Commands by name, and groups of them; ``_help`` is what is said of a group.

A command takes a dataclass, whose fields are its options and whose docstring is its help; or a parameter for each.
"""


class ShellParser(ArgumentParser):
    """Parser of options whose lists take several words, whose switches take none and whose names have dashes.

    A parameter is a list if its type is ``Sequence[...]`` of a plain type, a switch if it is a bool with the default
    False. One that need not be named in a call is not named on the command line either, even if it has a default.
    """

    _elements: dict[str, type]
    _unnamed: set[str]

    # Whatever jsonargparse passes is passed on: it calls one of the first two for a command, the first for each field
    # that is a dataclass too, and the last for each parameter.
    def add_class_arguments(
        self,
        theclass: type,
        nested_key: str | None = None,
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> list[str]:
        """Add the fields of a dataclass."""
        if nested_key is None:
            self._read_signature(theclass)
        return super().add_class_arguments(theclass, nested_key, *args, **kwargs)

    def add_function_arguments(self, function: Callable, *args: Any, **kwargs: Any) -> list[str]:  # noqa: ANN401
        """Add the parameters of a function."""
        self._read_signature(function)
        return super().add_function_arguments(function, *args, **kwargs)

    def _read_signature(self, command: Callable) -> None:
        hints = typing.get_type_hints(command)
        self._elements = {
            name: typing.get_args(hint)[0] for name, hint in hints.items() if typing.get_origin(hint) is Sequence
        }
        self._unnamed = {
            name
            for name, parameter in inspect.signature(command).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is not parameter.empty
        }

    def add_argument(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Add one argument."""
        name = args[0].lstrip("-") if args else ""
        if name in getattr(self, "_elements", {}):
            kwargs.pop("action", None)
            kwargs |= {"type": self._elements[name], "nargs": "+"}
            if "default" in kwargs:
                kwargs["default"] = list(kwargs["default"])
            args = args[:1]
        if kwargs.get("type") is bool and kwargs.get("default") is False:
            del kwargs["type"]
            kwargs["action"] = "store_true"
        if name in getattr(self, "_unnamed", set()):
            args, kwargs = (name,), kwargs | {"nargs": "?"}
        if args and args[0].startswith("--") and "_" in name and name != "print_config":
            args = (args[0].replace("_", "-"), *args)
        return super().add_argument(*args, **kwargs)

    def instantiate(self, namespace: Namespace, *args: Any, **kwargs: Any) -> Namespace:  # noqa: ANN401
        """Make the dataclasses of what was parsed; a number in the place of settings is an error of the user's."""
        try:
            return super().instantiate(namespace, *args, **kwargs)
        except TypeError as error:
            self.error(f"A group of settings does not fit: {str(error).rpartition('argument after ** ')[2]}.", error)


def run_chosen(commands: Commands, program: str) -> int | None:
    """Parse the command line and run its command; the result is the exit status.

    Args:
        commands: What can be chosen.
        program: Name of the program and of its package.
    """
    takers: dict[type, Callable[..., int | None]] = {}
    parsed = auto_cli(
        parsed_components(commands, takers),
        parser_class=ShellParser,
        prog=program,
        description=sys.modules[program].__doc__,
        version=version(program),
    )
    # what takes no dataclass, jsonargparse has run already
    return takers[type(parsed)](parsed) if type(parsed) in takers else parsed


def parsed_components(commands: Commands, takers: dict[type, Callable[..., int | None]]) -> dict[str, Any]:
    """What jsonargparse parses: for a command the dataclass that it takes, else its function.

    Args:
        commands: Commands and groups of them.
        takers: Filled with the command of each dataclass.
    """
    found: dict[str, Any] = {}
    for name, command in commands.items():
        if isinstance(command, str):
            found[name] = command
        elif isinstance(command, Mapping):
            found[name] = parsed_components(command, takers)
        else:
            first = next(iter(typing.get_type_hints(command).values()), None)
            found[name] = command
            if isinstance(first, type) and is_dataclass(first):
                found[name], takers[first] = first, command
    return found


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


def exit_status(wanted: int, done: int) -> int:
    """Exit status of a command that goes on after a failure: 0 if all is done, 1 if a part is, 2 if nothing is.

    Example:
        >>> exit_status(3, 3), exit_status(3, 1), exit_status(3, 0)
        (0, 1, 2)
    """
    if done == wanted:
        return 0
    return 1 if done else 2


def run_command(program: str, run: Callable[[], int | None], out_of_memory: str = "The memory ran out.") -> NoReturn:
    """Run a command and end the process; what went wrong is one sentence on stderr and the exit status.

    The status is what `run` returns, 2 for an error of the user's making and 130 for an interruption.
    Python's development mode, ``python -X dev``, shows the traceback instead of the sentence.

    Args:
        program: Name that begins the sentence.
        out_of_memory: What to say when memory runs out, on whatever device.
    """
    write_any_name()
    bound_settings()
    try:
        status = run()
    except KeyboardInterrupt:
        print(f"{program} was interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has seen enough; the interpreter must not try to flush the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (ValueError, OSError, ImportError, UnpicklingError, MemoryError, RuntimeError) as error:
        sentence = out_of_memory if is_out_of_memory(error) else as_sentence(error)
        unexpected = isinstance(error, RuntimeError) and sentence != out_of_memory
        if unexpected or sys.flags.dev_mode:
            raise
        print(f"{program}: {sentence}", file=sys.stderr)
        sys.exit(2)
    sys.exit(status or 0)


ANY_NAME = "faceops.any_name"
"""Name of `any_name` among the error handlers of codecs."""


def any_name(error: UnicodeError) -> tuple[bytes | str, int]:
    r"""Write a part of a file name that an encoding lacks: bytes as they are, other characters as Python escapes them.

    Raises:
        UnicodeError: If it is not about writing.

    Example:
        >>> codecs.register_error(ANY_NAME, any_name)
        >>> "Zo\udceb 日.png".encode("cp1252", ANY_NAME)
        b'Zo\xeb \\u65e5.png'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    try:
        return lacking.encode("ascii", "surrogateescape"), error.end
    except UnicodeEncodeError:
        return lacking.encode("ascii", "backslashreplace"), error.end


def write_any_name() -> None:
    """Let stdout take every file name there is, whatever the encoding of the terminal."""
    codecs.register_error(ANY_NAME, any_name)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ANY_NAME)


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
