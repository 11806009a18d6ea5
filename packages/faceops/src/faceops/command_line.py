"""Command lines as shells write them, from dataclasses of options or the signatures of functions.

jsonargparse alone wants ``'["a.jpg", "b.jpg"]'`` for a list, ``--json true`` for a switch and ``--input_side 640``.
This parser takes ``a.jpg b.jpg``, ``--json`` and ``--input-side 640``.
"""

import inspect
import os
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pickle import UnpicklingError
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace, auto_cli

from faceops.any_names import write_any_name
from faceops.command_help import (
    CONFIG_OPTIONS,
    HelpAll,
    PlainHelp,
    SayAsMuch,
    configs_first,
    example_of,
    expert_options,
    plain_error,
    short_usage,
)
from faceops.error_sentences import as_sentence, is_out_of_memory
from faceops.progress.verbosity import VERBOSITY, Verbosity
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
    _experts: set[str]
    _example = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, formatter_class=PlainHelp, print_config="--print_config", **kwargs)
        self._expert_group = self.add_argument_group("expert options")
        self._required: set[str] = set()
        self._experts = set(CONFIG_OPTIONS)
        self._hints: dict[str, Any] = {}
        self.add_argument("--help-all", action=HelpAll, help="Show this help with the options for experts, and exit.")

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

    def add_subcommands(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Add commands."""
        description = "COMMAND --help says more about each; COMMAND --help-all says all."
        return super().add_subcommands(*args, title="commands", description=description, **kwargs)

    def parse_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        *others: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Parse a command line; what it says counts more than a file of ``--config`` wherever that stands."""
        is_command = args is not None and self._subcommands_action is None
        return super().parse_args(configs_first(args) if args is not None and is_command else args, *others, **kwargs)

    def error(self, message: str, *args: Any) -> NoReturn:  # noqa: ANN401
        """Say what is wrong, and end."""
        super().error(plain_error(message), *args)

    def format_usage(self) -> str:
        """Usage in a line: what must be given."""
        return f"usage: {self._short_usage()}\n"

    def format_help(self, *args: Any) -> str:  # noqa: ANN401
        """Help without the options of experts."""
        everything = self._action_groups
        try:
            own = everything[: everything.index(self._expert_group)]
            self._action_groups = [*own, *(group for group in everything if group.title == "commands")]
            return self.format_help_all(*args)
        finally:
            self._action_groups = everything

    def format_help_all(self, *args: Any) -> str:  # noqa: ANN401
        """Help with all options."""
        self.usage = self._short_usage()
        example = f"\nexample:\n  {self._example}\n".replace("\n  \n", "\n") if self._example else ""
        return super().format_help(*args) + example

    def _short_usage(self) -> str:
        return short_usage(self.prog.replace(" [options]", ""), self._actions, self._required)

    def _read_signature(self, command: Callable) -> None:
        self.add_argument("--quiet", action=SayAsMuch, help="Say nothing but what fails; results are still listed.")
        self.add_argument("--verbose", action=SayAsMuch, help="Say how long each stage takes, too.")
        self._experts, self._example = {*CONFIG_OPTIONS, *expert_options(command)}, example_of(command)
        hints = self._hints = typing.get_type_hints(command)
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
        # jsonargparse makes a class of groups of this method alone, with no other name of this module
        is_parser = hasattr(self, "_expert_group")
        if is_parser:
            self._note_option(name, kwargs)
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
        if is_parser and name in self._experts:
            return self._expert_group.add_argument(*args, **kwargs)
        return super().add_argument(*args, **kwargs)

    def instantiate(self, namespace: Namespace, *args: Any, **kwargs: Any) -> Namespace:  # noqa: ANN401
        """Make the dataclasses of what was parsed; a number in the place of settings is an error of the user's."""
        try:
            return super().instantiate(namespace, *args, **kwargs)
        except TypeError as error:
            self.error(f"A group of settings does not fit: {str(error).rpartition('argument after ** ')[2]}.", error)

    def _note_option(self, name: str, kwargs: dict[str, Any]) -> None:
        """Note whether an option must be given, and give a marked one its choices."""
        if kwargs.get("required"):
            self._required.add(name)
        # jsonargparse has no choices and no switches of marked types
        hint = self._hints.get(name)
        if name in self._experts and typing.get_origin(hint) is typing.Literal:
            kwargs["metavar"] = f"{{{','.join(typing.get_args(hint))}}}"
        if name in self._experts and hint is bool:
            kwargs.pop("action", None)
            kwargs["type"] = bool


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
    if type(parsed) not in takers:  # what takes no dataclass, jsonargparse has run already
        return parsed
    check_values(parsed)
    return takers[type(parsed)](parsed)


def check_values(options: Any) -> None:  # noqa: ANN401 - of the many classes of options
    """Refuse options without a value that must have one, which jsonargparse takes from files of settings.

    Args:
        options: A dataclass.

    Raises:
        ValueError: If one has none.
    """
    hints = typing.get_type_hints(type(options))
    for name in (field.name for field in fields(options)):
        if getattr(options, name) is None and type(None) not in typing.get_args(hints[name]):
            raise ValueError(f"{name} has no value in the settings; give it one, or leave it out for the default.")


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


def exit_status(wanted: int, done: int) -> int:
    """Exit status of a command that goes on after a failure: 0 if all is done, 1 if a part is, 2 if nothing is.

    Example:
        >>> exit_status(3, 3), exit_status(3, 1), exit_status(3, 0)
        (0, 1, 2)
    """
    return 0 if done == wanted else 1 if done else 2


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
    before = VERBOSITY.set(Verbosity.USUAL)
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
    finally:  # the next command of the same process asks for itself
        VERBOSITY.reset(before)
    sys.exit(status or 0)
