"""Folders of servers, which tell whose they are: a server that is killed leaves its photographs to the next one."""

import os
import re
import shutil
from pathlib import Path

from faceops.atomic_files import left_by_killed, machine_name

OF_A_SERVER = re.compile(r"headsup-serve-(?P<machine>\w+)-(?P<process>\d+)-\w+")


def folder_prefix() -> str:
    """Beginning of the name of a folder of this process."""
    return f"headsup-serve-{machine_name()}-{os.getpid()}-"


def remove_left_behind(folder: Path) -> None:
    """Remove what servers of this machine that are no more have left in a folder; what cannot be removed stays."""
    for path in left_by_killed(folder, OF_A_SERVER):
        shutil.rmtree(path, ignore_errors=True)
