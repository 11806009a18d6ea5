"""What there is to measure, in the order of the report."""

from typing import NamedTuple


class Benchmark(NamedTuple):
    """A module with a function ``measure(suite) -> list[Table]``."""

    name: str
    """What the command line calls it."""
    module: str
    """Where it is measured."""
    quick: bool = True
    """Whether it belongs to the quick suite."""
    any_weights: bool = False
    """Whether it judges a restorer that may be named: ``measure(suite, weights) -> list[Table]``."""
    of_given_sets: bool = False
    """Whether it tests what somebody gives: ``measure(suite, tests) -> Iterator[Table]``."""
    one_thread: bool = False
    """Whether it counts CPU seconds, on one thread: those that wait for each other would count as well."""


SECTIONS: dict[str, tuple[Benchmark, ...]] = {
    "HIME: headshots from several exemplars": (
        Benchmark("hime_table1", "benchmarks.hime.table1"),
        Benchmark("exemplar_alignment", "benchmarks.hime.exemplar_alignment"),
        Benchmark("hime_ablations", "benchmarks.hime.ablations"),
        Benchmark("hime_table5", "benchmarks.hime.table5"),
        Benchmark("hime_weights", "benchmarks.hime.shipped_weights", quick=False),
    ),
    "HeadsUp: restoring portraits": (
        Benchmark("headsup_table1", "benchmarks.headsup.table1"),
        Benchmark("headsup_table2", "benchmarks.headsup.table2"),
        Benchmark("headsup_table3", "benchmarks.headsup.table3"),
        Benchmark("headsup_table4", "benchmarks.headsup.table4"),
        Benchmark("headsup_weights", "benchmarks.headsup.shipped_weights", quick=False),
        Benchmark("reference_matching", "benchmarks.headsup.reference_matching", quick=False),
        Benchmark("reference_expressions", "benchmarks.headsup.reference_expressions", quick=False),
        Benchmark("scoring_conventions", "benchmarks.headsup.scoring_conventions", quick=False),
        Benchmark("study_intervals", "benchmarks.headsup.study_intervals", quick=False),
    ),
    "HeadsUp: what a restorer does to people outside its training": (
        Benchmark("restorer_damage", "benchmarks.headsup.restorer_damage", any_weights=True),
        Benchmark("restorer_references", "benchmarks.headsup.restorer_references", any_weights=True),
        Benchmark("restorer_clothes", "benchmarks.headsup.restorer_clothes", any_weights=True),
        Benchmark("restorer_fidelity", "benchmarks.headsup.restorer_fidelity", quick=False, any_weights=True),
        Benchmark("restorer_groups", "benchmarks.headsup.restorer_groups", quick=False, any_weights=True),
        Benchmark("front_picture", "benchmarks.headsup.front_picture", quick=False, any_weights=True),
        Benchmark("restorer_sheet", "benchmarks.headsup.restorer_sheet", quick=False, any_weights=True),
    ),
    "Restorers and test sets of your own": (
        Benchmark("given_sets", "benchmarks.given.given_sets", quick=False, of_given_sets=True),
    ),
    "Training curves of the shipped weights": (Benchmark("training_curves", "benchmarks.curves.training_curves"),),
    "Faces: found, told apart, put back": (
        Benchmark("face_detection", "benchmarks.faces.detection", quick=False, one_thread=True),
        Benchmark("any_turn", "benchmarks.faces.any_turn", quick=False, one_thread=True),
        Benchmark("smiles", "benchmarks.faces.smiles", quick=False),
        Benchmark("face_verification", "benchmarks.faces.verification", quick=False, one_thread=True),
        Benchmark("boundary_artifact", "benchmarks.faces.boundary_artifact"),
    ),
    "Image files": (
        Benchmark("image_reading", "benchmarks.measures.image_reading"),
        Benchmark("image_writing", "benchmarks.measures.image_writing"),
    ),
    "Speed and memory": (
        Benchmark("startup", "benchmarks.speed.startup"),
        Benchmark("restoring_stages", "benchmarks.speed.restoring_stages"),
        Benchmark("profiles", "benchmarks.speed.profiles"),
        Benchmark("restorer_step", "benchmarks.speed.restorer_step", quick=False),
        Benchmark("correlation_loss", "benchmarks.speed.correlation_loss", one_thread=True),
        Benchmark("alignment_operator", "benchmarks.speed.alignment_operator", one_thread=True),
        Benchmark("structural_similarity", "benchmarks.speed.structural_similarity", one_thread=True),
        Benchmark("face_alignment", "benchmarks.speed.face_alignment", quick=False, one_thread=True),
        Benchmark("training_throughput", "benchmarks.speed.training_throughput", quick=False),
        Benchmark("compiled_training", "benchmarks.speed.compiled_training", quick=False, one_thread=True),
        Benchmark("degradation", "benchmarks.speed.degradation", one_thread=True),
        Benchmark("loader", "benchmarks.speed.loader", quick=False, one_thread=True),
        Benchmark("gpu", "benchmarks.speed.gpu", quick=False),
        Benchmark("pair_mining", "benchmarks.speed.pair_mining", one_thread=True),
        Benchmark("builder", "benchmarks.speed.builder", quick=False, one_thread=True),
        Benchmark("builder_scale", "benchmarks.speed.builder_scale", quick=False, one_thread=True),
    ),
}


def benchmarks() -> dict[str, Benchmark]:
    """All of them by name."""
    return {benchmark.name: benchmark for section in SECTIONS.values() for benchmark in section}
