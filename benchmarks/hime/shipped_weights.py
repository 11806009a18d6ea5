"""What every shipped HIME does with how many references, and whose: the tables of the model cards.

As `hime evaluate NAME --crop 128 --references 0 1 3 --stranger --blank` has it, on people who were not trained on.
"""

from benchmarks.hime.portrait_scores import (
    SIDE,
    Distance,
    Enlarge,
    Portraits,
    enlarged_by_bicubic,
    held_out,
    perceptual_distance,
    scored,
)
from benchmarks.reporting.table import Cell, Suite, Table
from hime.network import HIME
from hime.weights.files import load_network
from hime.weights.shipped import shipped_weights

REFERENCES = 0, 1, 3
WHOSE = {"same": "", "stranger": " of a stranger", "blank": " blank"}
LIMITS: dict[Suite, int | None] = {"quick": 24, "full": None}
"""Photographs."""


def measure(suite: Suite) -> list[Table]:
    """A table for each of the shipped weights.

    Raises:
        NoPhotographsError: If LFW is not there.
    """
    most = max(REFERENCES)
    people = {"same": held_out(most, LIMITS[suite])}
    people |= {"stranger": held_out(most, LIMITS[suite], "stranger"), "blank": held_out(most, LIMITS[suite], "blank")}
    distance = perceptual_distance()
    return [table(name, people, distance) for name in shipped_weights()]


def table(name: str, people: dict[str, Portraits], distance: Distance) -> Table:
    """Means over the photographs, by what the network is given."""
    network = load_network(name)
    same: dict[str, Enlarge] = {"bicubic": enlarged_by_bicubic(network.scale)}
    same |= {f"{n} reference{'' if n == 1 else 's'}": with_references(network, n) for n in REFERENCES}
    found = scored(same, people["same"], network.scale, distance)
    for whose in ("stranger", "blank"):
        way = {f"{max(REFERENCES)}{WHOSE[whose]}": with_references(network, max(REFERENCES))}
        found |= scored(way, people[whose], network.scale, distance)
    means = {row: scores.means for row, scores in found.items()}
    least, alone = means["bicubic"][0], means["0 references"][0]
    rows: list[tuple[Cell, ...]] = [
        (row, psnr, psnr - least, "" if row == "bicubic" else psnr - alone, ssim, far)
        for row, (psnr, ssim, far) in means.items()
    ]
    columns = "references", "PSNR, dB", "over bicubic", "over none", "SSIM", distance.name
    count = len(people["same"].images)
    title = f"{name} on {count} photographs of held-out people of LFW, {SIDE} pixels from {SIDE // network.scale}"
    return Table(f"hime_{name.replace('-', '_')}", title, columns, tuple(rows), note=distance.remark)


def with_references(network: HIME, count: int) -> Enlarge:
    """The network, given the first references of each set."""
    return lambda lr, references, present: network(lr, references[:, :count], present[:, :count])
