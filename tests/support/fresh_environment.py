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


def fresh_environment(folder: Path) -> Path:
    """Make an environment without anything, even pip; its folder of packages."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    return packages_of(folder)


def packages_of(folder: Path) -> Path:
    """Folder of the packages of an environment."""
    (packages,) = folder.glob("lib/python*/site-packages")
    return packages


def show_third_parties(packages: Path, links: Path) -> None:
    """Let an environment see what is installed here, other than the packages of the workspace.

    Args:
        packages: Folder of its packages.
        links: Folder for links to what it sees, outside of the environment, so that pip changes nothing there.
    """
    links.mkdir()
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(place).iterdir():
            if not re.match(rf"({'|'.join(PACKAGES)})([-.]|$)", entry.name):
                (links / entry.name).symlink_to(entry)
    (packages / "third_parties.pth").write_text(f"{links}\n")


def cut_network(packages: Path) -> None:
    """Let no program of an environment connect to anything."""
    (packages / "no_network.py").write_text(NO_NETWORK)
    (packages / "no_network.pth").write_text("import no_network\n")
