"""Command lines as shells write them, from the signatures of functions.

jsonargparse alone wants ``--exemplars '["a.jpg", "b.jpg"]'``, ``--overwrite true`` and ``--lr_size 32``. This parser
takes ``--exemplars a.jpg b.jpg``, ``--overwrite`` and ``--lr-size 32``.
"""

import typing
from collections.abc import Callable, Sequence
from typing import Any

from jsonargparse import ArgumentParser


class ShellParser(ArgumentParser):
    """Parser for functions whose lists take several words, whose switches take none and whose names have dashes.

    A parameter is a list if its type is ``Sequence[...]`` of a plain type, a switch if it is a bool with the default
    False.
    """

    _elements: dict[str, type]

    # Whatever jsonargparse passes is passed on: it calls the first for a function, the second for each parameter.
    def add_function_arguments(self, function: Callable, *args: Any, **kwargs: Any) -> list[str]:  # noqa: ANN401
        """Add the parameters of a function."""
        hints = typing.get_type_hints(function)
        self._elements = {
            name: typing.get_args(hint)[0] for name, hint in hints.items() if typing.get_origin(hint) is Sequence
        }
        return super().add_function_arguments(function, *args, **kwargs)

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
        if args and args[0].startswith("--") and "_" in name and name != "print_config":
            args = (args[0].replace("_", "-"), *args)
        return super().add_argument(*args, **kwargs)
