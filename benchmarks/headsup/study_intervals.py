"""How often 95% intervals of a win rate hold the true one, in simulated studies."""

from statistics import mean

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from benchmarks.reporting.table import Cell, Suite, Table
from portraitdata.study.win_rates import CONFIDENCE, DRAWS, two_way_interval, wilson_interval

SIZES = (10, 20), (30, 58)
"""Participants and pictures; the second are those of HeadsUp's studies."""

METHODS = 3
TASTE = 0.5
"""Standard deviation of what a participant, and what a picture, adds to each method, in logits."""

STUDIES: dict[Suite, int] = {"quick": 100, "full": 400}
POPULATION = 1000
"""Participants and pictures over which the true rate is taken."""

Counts = Int[np.ndarray, "participants pictures"]
Interval = tuple[float, float]


def measure(suite: Suite) -> list[Table]:
    """Coverage of three kinds of interval, and the reach of ours."""
    rows = tuple(row(*size, STUDIES[suite]) for size in SIZES)
    columns = (
        *("participants, pictures", "Wilson", "bootstrap of participants", "of both, as here"),
        "reach of it to either side",
    )
    title = f"Share of {STUDIES[suite]} simulated studies whose {CONFIDENCE:.0%} interval holds the true win rate"
    note = (
        f"{METHODS} methods, one of which is scored; participants and pictures each have a taste for each method, "
        f"with a standard deviation of {TASTE:g} logits."
    )
    return [Table("study_intervals", title, columns, rows, columns[1:4], "share", note=note, logarithmic=False)]


def row(people: int, pictures: int, studies: int) -> tuple[Cell, ...]:
    """Studies of one size."""
    truth = true_rate()
    total = np.ones((people, pictures), np.int64)
    held: list[tuple[bool, ...]] = []
    reaches = []
    for seed in range(studies):
        won = simulated(people, pictures, np.random.default_rng((1, seed)))
        both = two_way_interval(won, total, seed=seed)
        assert both is not None
        intervals = wilson_interval(int(won.sum()), won.size), by_participants(won, seed), both
        held.append(tuple(low <= truth <= high for low, high in intervals))
        reaches.append((both[1] - both[0]) / 2)
    return (f"{people}, {pictures}", *(mean(map(float, column)) for column in zip(*held, strict=True)), mean(reaches))


def true_rate() -> float:
    """Share of the answers that the first method gets of all people on all pictures."""
    random = np.random.default_rng(0)
    return float(chances(POPULATION, POPULATION, random)[..., 0].mean())


def simulated(people: int, pictures: int, random: np.random.Generator) -> Counts:
    """Whether the first method was chosen, by participant and picture."""
    return (random.random((people, pictures)) < chances(people, pictures, random)[..., 0]).astype(np.int64)


def chances(people: int, pictures: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Chance of each method, by participant and picture."""
    tastes = random.normal(0, TASTE, (people, 1, METHODS)) + random.normal(0, TASTE, (1, pictures, METHODS))
    worth = np.exp(tastes)
    return worth / worth.sum(axis=-1, keepdims=True)


def by_participants(won: Counts, seed: int) -> Interval:
    """The usual bootstrap: participants are drawn anew, pictures are not."""
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(won), np.full(len(won), 1 / len(won)), size=DRAWS)
    low, high = np.quantile(drawn @ won.mean(axis=1) / len(won), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
