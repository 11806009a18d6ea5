"""``python -m benchmarks.fuzz --minutes 10 --seed 0``: throw damage at every command and count what is wrong.

``--cases 100`` does as many on a busy machine as on an idle one.
Each case is a folder that its number and the seed decide. Those with a fault are kept, with the call, what it said and
what it left behind. The exit status is 1 if there is any.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.fuzz.cases import Case, Prepared
from benchmarks.fuzz.judging import KINDS, faults
from benchmarks.fuzz.running import Ending, run_forked

IMPORTED = (
    "faceops.commands.detect",
    "faceops.commands.align",
    "faceops.commands.compare",
    "faceops.commands.embed",
    "faceops.detection.detectors.yunet",
    "hime.upscaling.files",
    "headsup.restoring.files",
    "portraitdata.commands.degrade",
    "portraitdata.commands.score",
    "portraitdata.commands.exemplar_index",
    "portraitdata.commands.portrait_index",
    "portraitdata.commands.inspect",
    "portraitdata.commands.verify",
    "portraitdata.commands.takedown",
    "portraitdata.commands.build",
    "portraitdata.exemplars.contact_sheet",
    "skimage.data",
)
"""What the commands import when they run; every child has it already."""


def main() -> int:
    """Run cases until the time is over; print the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cases", type=int, help="end after so many cases instead, however long they take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=60, help="processor seconds of a command (default 60)")
    parser.add_argument("--kept", type=Path, default=Path("outputs/fuzz"), help="folder for the cases with a fault")
    parser.add_argument("--only", default="", help="commands whose names begin so")
    given = parser.parse_args()
    import_commands()
    started, cases, found = time.monotonic(), Counter[str](), Counter[str]()
    with TemporaryDirectory() as work:
        draws = prepared_in(Path(work), given.limit).draws()
        names = [name for name in draws if name.startswith(given.only)]
        while not over(given.cases, sum(cases.values()), given.minutes, time.monotonic() - started):
            number = sum(cases.values())
            name, generator = names[number % len(names)], np.random.default_rng((given.seed, number))
            folder = Path(work) / f"{number:06d}"
            (folder / "output").mkdir(parents=True)
            case = draws[name](folder, generator)
            ending = run_case(case, folder, given.limit)
            cases[name] += 1
            if wrong := faults(ending, folder / "output", case.wanted):
                found.update(wrong.keys())
                keep(folder, given.kept / f"{given.seed}-{number:06d}", case, wrong, ending)
            shutil.rmtree(folder)
            for file in Path(work).glob(f"{number:06d}.*"):
                file.unlink()
    for name, count in cases.items():
        print(f"{name}: {count}")
    print(f"{sum(cases.values())} cases; " + ", ".join(f"{kind}: {found[kind]}" for kind in KINDS))
    return int(bool(found))


def over(most: int | None, cases: int, minutes: float, seconds: float) -> bool:
    """Tell whether enough is done: so many cases if a number is wanted, else so many minutes.

    Example:
        >>> over(None, 9, 1.0, 59.0), over(9, 9, 1.0, 0.0), over(9, 8, 1.0, 99.0)
        (False, True, False)
    """
    return seconds >= minutes * 60 if most is None else cases >= most


def import_commands() -> None:
    """Import what the commands need, once for all children; torch computes in one thread, as forks lose the others."""
    from headsup.model.diffusers_networks import import_networks

    import_networks()
    for name in (*IMPORTED, *(f"{program}.cli" for program in ("faceops", "hime", "headsup", "portraitdata"))):
        import_module(name)
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def prepared_in(work: Path, limit: int) -> Prepared:
    """Write the whole files that cases damage.

    Raises:
        RuntimeError: If a command fails at whole files.
    """

    def run(case: Case, folder: Path) -> None:
        ending = run_case(case, folder, limit)
        if ending.status:
            raise RuntimeError(f"{' '.join(case.words)} ends with {ending.status} on whole files: {ending.said}")

    assets = os.environ.get("PORTRAIT_ASSETS")
    return Prepared(work / "prepared", run, Path(assets) if assets else None)


def run_case(case: Case, folder: Path, limit: int) -> Ending:
    """Run the command of a case in its folder."""

    def command() -> None:
        sys.argv = list(case.words)
        import_module(f"{case.words[0]}.cli").main()

    return run_forked(command, folder, limit)


def keep(folder: Path, place: Path, case: Case, wrong: dict[str, str], ending: Ending) -> None:
    """Keep a case that has a fault, and say so."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place)
    facts = {"call": case.words, "faults": wrong, "status": ending.status, "said": ending.said}
    (place / "fault.json").write_text(json.dumps(facts, indent=2))
    print(f"{place}: {' '.join(case.words)!a}: {wrong}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
