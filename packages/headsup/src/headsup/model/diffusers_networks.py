"""The two networks of diffusers that a restorer is made of, imported without what they do not need.

``from diffusers import AutoencoderKL`` also imports the networks of a hundred other models, peft, transformers,
torchvision, scipy and the compiler of torch: of what a small restoration computes, that is more than half. diffusers
asks whether such packages are there and does without where they are not; here it is told so for as long as the two
networks are imported.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

PUT_OFF = (
    "diffusers.hooks",
    "diffusers.models.autoencoders",
    "diffusers.models.transformers",
    "diffusers.models.unets",
)
"""Packages that import every module in them; the networks need a few of these modules."""

UNNEEDED = "peft", "scipy", "transformers"
"""Packages that the networks do without: adapters and text encoders import them themselves."""

COMPILER = "torch._dynamo"
"""Marks that diffusers puts on functions for compilation."""


def import_networks() -> None:
    """Import the two networks sparingly; whoever imports them later in this process gets these.

    For a command that restores, not for a library: the networks, their adapters and text encoders work as ever
    afterwards, but some loaders of diffusers' pipelines do not. Where diffusers was imported before, or is of a
    version in which this does not succeed, its own import decides.
    """
    if "diffusers" in sys.modules:
        return
    try:
        with standing_in(COMPILER, compiler_that_marks_nothing()):
            flags = importlib.import_module("diffusers.utils.import_utils")
            importlib.import_module("diffusers.loaders")  # offers what is there, so before anything is hidden
            for name in PUT_OFF:
                put_off(name)
            with hidden(flags):
                importlib.import_module("diffusers.models.autoencoders.autoencoder_kl")
                importlib.import_module("diffusers.models.unets.unet_2d_condition")
        # else every step of the denoiser imports peft, to multiply what adapters add by 1
        vars(sys.modules["diffusers.utils"])["USE_PEFT_BACKEND"] = False
    except (AttributeError, ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "diffusers"]:
            del sys.modules[name]


@contextmanager
def standing_in(name: str, module: ModuleType | None) -> Iterator[None]:
    """Let imports find this module under a name, or none; one that is there already stays."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = module  # type: ignore[assignment] # None is how Python itself marks what cannot be imported
    try:
        yield
    finally:
        del sys.modules[name]


def compiler_that_marks_nothing() -> ModuleType:
    """A module with the two functions of torch's compiler that diffusers decorates with."""
    module = ModuleType(COMPILER)
    vars(module).update(allow_in_graph=unmarked, disable=unmarked)
    return module


def unmarked(decorated: Callable | None = None, *_: Any, **__: Any) -> Callable:  # noqa: ANN401 - as torch's
    """Return the decorated function unchanged."""
    return unmarked if decorated is None else decorated


@contextmanager
def hidden(flags: ModuleType) -> Iterator[None]:
    """Let diffusers believe that what is not needed is not installed.

    Args:
        flags: Where it keeps what is installed; as before afterwards.
    """
    names = [f"_{package}_available" for package in UNNEEDED]
    before = [getattr(flags, name) for name in names]
    for name in names:
        setattr(flags, name, False)
    try:
        with standing_in("transformers", None):  # which one module tries to import without asking
            yield
    finally:
        for name, value in zip(names, before, strict=True):
            setattr(flags, name, value)


def put_off(name: str) -> None:
    """Import a package, but run its body only when a name is asked for that it lacks until then.

    Raises:
        ImportError: If there is no such package.
    """
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"There is no package {name}.")
    loader, package = spec.loader, module_from_spec(spec)

    def complete(attribute: str) -> Any:  # noqa: ANN401 - whatever it is
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        del vars(package)["__getattr__"]
        loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = complete
    sys.modules[name] = package
