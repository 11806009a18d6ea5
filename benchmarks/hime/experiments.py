"""The experiments of HIME's ablations: which trainings they need, and what the paper found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.hime.miniature_trainings import Training

PAPERS = Training("table4_references_3")
"""The paper's small model. Tables 2, 3 and 6 have it, too, as dcn, cofa and rec_cor: one experiment, trained once."""
RECONSTRUCTION = Training("table6_rec", ("ablations/without_cor",))
BACKBONE = "weights/perceptual/vgg19_16x_SE5.pth"


@dataclass(frozen=True)
class Experiment:
    """A table of the paper.

    Args:
        name: Name of the table's files.
        title: Number and subject.
        column: What distinguishes the rows.
        rows: Trainings by the paper's name of their row.
        published: PSNR, SSIM and LPIPS in the paper, likewise.
        pairs: Changes that the paper draws a conclusion from.
        references: How many references a row is given, where it is not three.
        remark: What else is to be said.
    """

    name: str
    title: str
    column: str
    rows: Mapping[str, Training]
    published: Mapping[str, tuple[float, float, float]]
    pairs: tuple[tuple[str, str], ...]
    references: Mapping[str, int] = field(default_factory=dict)
    remark: str = ""


EXPERIMENTS = (
    Experiment(
        "table2",
        "Table 2, alignment",
        "alignment",
        {
            "conv": Training("table2_conv", ("ablations/conv",)),
            "dcn": PAPERS,
            "flow_dcn": Training("table2_flow_dcn", ("large",)),
        },
        {
            "conv": (24.33, 0.7311, 0.2605),
            "dcn": (24.54, 0.7411, 0.2433),
            "flow_dcn": (24.68, 0.7467, 0.2361),
        },
        (("conv", "dcn"), ("dcn", "flow_dcn")),
        remark=(
            "The optical flow starts at random, where the paper takes a trained SPyNet, and learns from the 41st of "
            "400 steps on."
        ),
    ),
    Experiment(
        "table3",
        "Table 3, aggregation",
        "aggregation",
        {
            "average": Training("table3_average", ("ablations/average",)),
            "max": Training("table3_max", ("ablations/max",)),
            "cofa": PAPERS,
        },
        {
            "average": (22.120, 0.6350, 0.4332),
            "max": (22.118, 0.6349, 0.4331),
            "cofa": (24.381, 0.7339, 0.2533),
        },
        (("average", "cofa"), ("max", "cofa")),
    ),
    Experiment(
        "table4",
        "Table 4, references in training and testing",
        "references",
        {
            "0": Training("table4_references_0", ("ablations/references_0",)),
            "1": Training("table4_references_1", ("ablations/references_1",)),
            "3": PAPERS,
        },
        {"0": (23.84, 0.7088, 0.3440), "1": (24.35, 0.7318, 0.2572), "3": (24.54, 0.7409, 0.2433)},
        (("0", "1"), ("1", "3")),
        references={"0": 0, "1": 1},
    ),
    Experiment(
        "table6",
        "Table 6, correlation loss",
        "losses",
        {
            "rec": RECONSTRUCTION,
            "rec + cor": PAPERS,
            "P without cor": Training(
                "table6_perceptual_without_cor",
                ("perception", "ablations/without_cor"),
                RECONSTRUCTION,
                backbone=BACKBONE,
            ),
            "P with cor": Training("table6_perceptual_with_cor", ("perception",), PAPERS, backbone=BACKBONE),
        },
        {
            "rec": (24.38, 0.7339, 0.2533),
            "rec + cor": (24.35, 0.7346, 0.2437),
            "P without cor": (22.44, 0.6204, 0.1543),
            "P with cor": (23.28, 0.6673, 0.1389),
        },
        (("rec", "rec + cor"), ("P without cor", "P with cor")),
        remark="The trainings with L_P minimise features of the slim VGG-19 themselves.",
    ),
)

WINDOWS = (1, 3, 5, 7, 9)
SHORT = ("--trainer.max_steps", "150", "--checkpoint.every_n_train_steps", "50")


def windowed(k: int) -> tuple[str, ...]:
    """Arguments of a training of Figure 8."""
    return (*SHORT, "--model.init_args.window", str(k))


FIGURE8 = {
    "cor alone": {
        k: Training(f"figure8_cor_only_k{k}", ("ablations/cor_alone",), arguments=windowed(k)) for k in WINDOWS
    },
    "rec + cor, fine-tuned": {
        k: Training(f"figure8_finetuned_k{k}", ("ablations/fine_tuned",), RECONSTRUCTION, windowed(k)) for k in WINDOWS
    },
}
"""Trainings by the window of the correlation loss."""

FROM_SCRATCH = {
    "the paper's small model": PAPERS,
    **{
        f"{experiment.column}: {name}": training
        for experiment in EXPERIMENTS
        for name, training in experiment.rows.items()
        if training.after is None and training is not PAPERS
    },
}
"""Trainings whose reconstruction losses may be compared."""
