"""Where networks run."""

from typing import Literal

import torch

DeviceName = Literal["auto", "cpu", "cuda", "mps"]


def select_device(name: DeviceName = "auto") -> torch.device:
    """Device of that name; ``auto`` takes the first there is of cuda, mps and cpu.

    Raises:
        ValueError: If this machine or this build of torch has no such device.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, available in there.items() if available))
    if not there[name]:
        names = ", ".join(device for device, available in there.items() if available)
        raise ValueError(f"torch sees no {name} device here; there is: {names}. Leave the device out to use the best.")
    return torch.device(name)
