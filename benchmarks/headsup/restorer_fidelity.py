"""What `--fidelity` gives and takes: errors, distance, sharpness and likeness."""

from benchmarks.headsup.methods import Method, by_restorer, enlarged
from benchmarks.headsup.original_portraits import everybody
from benchmarks.headsup.restorer_damage import DAMAGES, PORTRAITS, SIDE, damaged
from benchmarks.measures.restoration_judges import restoration_judges
from benchmarks.reporting.table import Cell, Suite, Table
from headsup.restoring.photo_restorer import PhotoRestorer
from headsup.weights.shipped import DEFAULT_WEIGHTS

METRICS = ("psnr", "vgg16_hed", "sharpness", "id_edgeface")

FIDELITIES = (0.0, 0.15, 0.3, 0.5, 1.0)

NOTE = (
    "Without references. The distance is that of VGG-16 (HED) around the face, which is not LPIPS; sharpness is the "
    "energy of the finest Laplacian band in the face's box over the truth's; ID: cosine of true and restored face."
)


def measure(suite: Suite, weights: str = DEFAULT_WEIGHTS) -> list[Table]:
    """One table: a row for each damage and fidelity.

    Args:
        suite: How much.
        weights: Name of shipped weights, or a file.

    Raises:
        LeftOutError: If the photographs are not there.
    """
    scorer, people = restoration_judges(METRICS), everybody(SIDE, PORTRAITS[suite])
    restorer = PhotoRestorer.load(weights)
    methods: dict[str, Method] = {"bicubic": enlarged}
    methods |= {f"{share:g}": by_restorer(restorer, referenced=False, fidelity=share) for share in FIDELITIES}
    rows: list[tuple[Cell, ...]] = []
    for damage in DAMAGES["full"]:
        rows += damaged(damage, f"{SIDE} px", people, methods, scorer)
    columns = ("damage, truth", "fidelity", scorer.columns[0], "over bicubic, dB", *scorer.columns[1:])
    title = f"{weights} by fidelity, on {len(people)} held-out portraits"
    return [Table("restorer_fidelity", title, columns, tuple(rows), note=f"{NOTE} {scorer.remark()}".strip())]
