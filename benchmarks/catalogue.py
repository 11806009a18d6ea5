"""What there is to measure, in the order of the report."""

from typing import NamedTuple


class Benchmark(NamedTuple):
    """A module of this folder with a function ``measure(suite) -> list[Table]``."""

    name: str
    quick: bool = True
    """Whether it belongs to the quick suite."""


SECTIONS: dict[str, tuple[Benchmark, ...]] = {
    "HIME: headshots from several exemplars": (
        Benchmark("hime_table1"),
        Benchmark("exemplar_alignment"),
        Benchmark("hime_ablations"),
        Benchmark("hime_table5"),
    ),
    "HeadsUp: restoring portraits": (
        Benchmark("headsup_table1"),
        Benchmark("headsup_table2"),
        Benchmark("headsup_table3"),
        Benchmark("headsup_table4"),
        Benchmark("boundary_artifact"),
    ),
    "Training curves of the shipped weights": (Benchmark("training_curves"),),
    "Faces": (
        Benchmark("face_detection", quick=False),
        Benchmark("face_verification", quick=False),
        Benchmark("face_alignment", quick=False),
    ),
    "Speed and memory": (
        Benchmark("restoring_stages"),
        Benchmark("profiles"),
        Benchmark("restorer_step", quick=False),
        Benchmark("correlation_loss"),
        Benchmark("alignment_operator"),
        Benchmark("training_throughput", quick=False),
        Benchmark("degradation"),
        Benchmark("loader", quick=False),
        Benchmark("pair_mining"),
        Benchmark("builder", quick=False),
    ),
}


def benchmarks() -> dict[str, Benchmark]:
    """All of them by name."""
    return {benchmark.name: benchmark for section in SECTIONS.values() for benchmark in section}
