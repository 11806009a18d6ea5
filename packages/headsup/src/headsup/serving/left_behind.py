"""Folders of servers, which tell whose they are: a server that is killed leaves its photographs to the next one."""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from faceops.atomic_files import is_running, machine_name

OF_A_SERVER = re.compile(r"headsup-serve-(?P<machine>\w+)-(?P<process>\d+)-\w+")


def folder_prefix() -> str:
    """Beginning of the name of a folder of this process."""
    return f"headsup-serve-{machine_name()}-{os.getpid()}-"


def remove_left_behind(folder: Path) -> None:
    """Remove what servers of this machine that are no more have left in a folder; what cannot be removed stays."""
    with suppress(OSError):  # a folder that can be written to need not be one that can be listed
        for name in os.listdir(folder):
            found = OF_A_SERVER.fullmatch(name)
            if found and found["machine"] == machine_name() and not is_running(int(found["process"])):
                shutil.rmtree(folder / name, ignore_errors=True)
