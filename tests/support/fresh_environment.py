"""Fresh environments, and commands in them that know nothing of the environment that runs the tests."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.packages import PACKAGES

NO_NETWORK = """import socket

def refuse(*_):
    raise OSError("there is no network here")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


def environment() -> dict[str, str]:
    """This environment without what would lead a fresh installation back to the one that runs the tests."""
    away = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in away}


def run(*command: str | Path, cwd: Path) -> str:
    """Output of a command that has to succeed."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment(), capture_output=True, text=True, check=False, timeout=3000
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def environment_of_third_parties(folder: Path) -> Path:
    """Make an environment without a network that sees what is installed here, other than the packages of the workspace.

    Args:
        folder: Place of the environment and of links to what it sees, outside of it so that pip changes nothing there.

    Returns:
        Folder of its commands.
    """
    seen = folder / "third_party"
    seen.mkdir()
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(place).iterdir():
            if not re.match(rf"({'|'.join(PACKAGES)})([-.]|$)", entry.name):
                (seen / entry.name).symlink_to(entry)
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "no_network.py").write_text(NO_NETWORK)
    (site / "seen.pth").write_text(f"{seen}\nimport no_network\n")
    return folder / "venv" / "bin"
