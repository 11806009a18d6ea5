"""Tests of what somebody gives: any restorer weights and folders of outputs on any test sets, beside the paper's rows.

Every restored picture is written, so that it may be looked at, and given as the output of a restorer the next time.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from benchmarks.given.given_samples import GivenSamples, write_picture
from benchmarks.given.others_results import find_results
from benchmarks.given.planned_tests import METRICS, PlannedSet, PlannedTests
from benchmarks.given.restorers import Loaded, load_restorers, rows_of
from benchmarks.given.scoring import conventions, left_out, scoring_settings
from benchmarks.headsup.headings import HEADINGS
from benchmarks.headsup.methods import Method
from benchmarks.headsup.published_figures import published_rows, published_table
from benchmarks.headsup.samples import Sample
from benchmarks.headsup.sheet import SHOWN, sheet
from benchmarks.reporting.table import Cell, LeftOutError, Suite, Table
from faceops.detection.selection import build_detector
from faceops.enumeration import counted
from faceops.error_sentences import as_sentence
from faceops.images.files import Picture, load_picture
from faceops.progress.display import tracked
from portraitdata.images.resampling import to_8_bit
from portraitdata.restoration.paired_layouts import PairedFiles
from portraitdata.scoring.folders import score_pairs
from portraitdata.scoring.pairing import FilePair, Pairing, listed, missing_sentences
from portraitdata.scoring.selection import select_metrics
from portraitdata.scoring.table import ScoreTable

BESIDE = (
    "The paper's rows are of its own weights and, but for published test sets with their published inputs, of other "
    "pictures. Win rates: see `portraitdata study`."
)

FACES = (
    "FID is between results and truths; that of DAEFR, whose protocol Table 1 follows, is between results and FFHQ. "
    "Its inputs of CelebA-Test are not those of other authors."
)
"""What is to be said beside Table 1."""


def measure(suite: Suite, tests: PlannedTests | None = None) -> Iterator[Table]:
    """A table for each test set, when it is tested; one that is not what it should be leaves the others alone.

    Args:
        suite: Both measure the same; `limit` says how much.
        tests: What is tested on what.

    Yields:
        Tables.

    Raises:
        LeftOutError: If nothing is given.
        ValueError: If weights are not what they should be, or, in the end, pictures of a set were not.
        OSError: If something is missing.
    """
    if tests is None:
        raise LeftOutError("needs test sets: name folders, indexes, or a YAML file with --sets")
    restorers = load_restorers(tests)
    failed = []
    for each in tests.sets:
        try:
            table = table_of(each, restorers, tests)
        except (ValueError, OSError) as error:
            failed.append(f"{each.name}: {as_sentence(error)}")
        else:
            yield table
    if failed:
        raise ValueError(" ".join(failed))


class Restored(NamedTuple):
    """What became of a test set."""

    pairings: dict[str, Pairing]
    """Results and their truths, by row."""
    files: PairedFiles
    """Truths and inputs that were used."""
    shown: list[Sample]
    """Some samples, evenly spread, for a sheet."""


def table_of(planned: PlannedSet, restorers: Mapping[str, Loaded], tests: PlannedTests) -> Table:
    """Scores of one set, with a sheet of pictures."""
    folder, given = tests.output / planned.name, tests.given
    detector = build_detector() if planned.task == "portraits" else None
    samples = GivenSamples(planned, folder, given.limit, detector)
    rows = rows_of(restorers, planned.task, planned.magnification, samples.has_references, detector)
    restored = restore(samples, rows.methods, folder)
    results = tests.results(planned).items()
    pairings = restored.pairings | {name: pair_results(path, restored.files, given.limit) for name, path in results}
    settings = scoring_settings(given, planned.task)
    chosen = select_metrics(given.metrics or METRICS[planned.task], settings)
    scores = {name: score_pairs(pairing, chosen, settings) for name, pairing in pairings.items()}
    remarks = [*rows.remarks, *notes(scores), BESIDE, FACES if planned.task == "faces" else ""]
    title = f"{planned.name}: {words(planned, samples)}"
    columns = next(iter(scores.values())).every_column
    return Table(
        f"given_{planned.name}",
        title,
        ("method", *(HEADINGS[column.name] for column in columns)),
        tuple((name, *cells(table)) for name, table in scores.items()),
        (HEADINGS[columns[0].name],),
        columns[0].convention,
        " ".join(filter(None, remarks)),
        published_rows(*planned.tables) if len(planned.tables) > 1 else published_table(*planned.tables[0]),
        logarithmic=False,
        pictures={title: sheet(restored.shown, {each.name: seen(each, pairings) for each in restored.shown})},
    )


def restore(samples: GivenSamples, methods: Mapping[str, Method], folder: Path) -> Restored:
    """Restore every sample by every method, and write the pictures into a folder of each method, which is cleared."""
    for name in methods:
        for earlier in (folder / name).rglob("*.png"):
            earlier.unlink()  # a set of fewer pictures would leave those of a run before
    pairs: dict[str, list[FilePair]] = {name: [] for name in methods}
    truths, inputs = {}, {}
    shown, places = [], {number * len(samples) // SHOWN for number in range(SHOWN)}
    for number, (sample, truth, given) in enumerate(tracked(samples, f"Restoring {folder.name}", len(samples))):
        truths[sample.name], inputs[sample.name] = truth, given
        if number in places:
            shown.append(sample)
        for name, method in methods.items():
            path = folder / name / f"{sample.name}.png"
            write_picture(Picture(to_8_bit(method(sample))), path)
            pairs[name].append(FilePair(sample.name, path, truth))
    pairings = {name: Pairing(tuple(each), ()) for name, each in pairs.items()}
    return Restored(pairings, PairedFiles(samples.places, truths, inputs), shown)


def pair_results(folder: Path, files: PairedFiles, limit: int | None) -> Pairing:
    """Other software's results with their truths; where only some pictures are tested, some results may be missing.

    Raises:
        ValueError: If results do not fit.
        OSError: If the folder is missing.
    """
    found = find_results(folder, files, partly=limit is not None)
    missing = missing_sentences(folder, [name for name in files.names if name not in found], "result")
    return Pairing(tuple(FilePair(name, path, files.hq[name]) for name, path in found.items()), tuple(missing))


def seen(sample: Sample, pairings: Mapping[str, Pairing]) -> dict[str, Tensor]:
    """Results of a sample, by row."""
    return {
        row: load_picture(pair.restored).pixels
        for row, pairing in pairings.items()
        for pair in pairing.pairs
        if pair.name == sample.name
    }


def cells(scores: ScoreTable) -> tuple[Cell, ...]:
    """Means of a row; empty where nothing could be measured."""
    return tuple("" if value is None else value for value in scores.means.values())


def notes(scores: Mapping[str, ScoreTable]) -> Iterator[str]:
    """What is to be said of the numbers of all rows, each thing once."""
    first = next(iter(scores.values()))
    yield conventions(first)
    yield left_out(first)
    without_face = dict.fromkeys(name for table in scores.values() for name in table.without_face)
    if without_face:
        yield f"No face is found in {listed(list(without_face))}."
    for row, table in scores.items():
        if table.problems:
            yield f"{row}, of {counted(len(table.rows), 'picture')} only: {' '.join(table.problems[:3])}"


def words(planned: PlannedSet, samples: GivenSamples) -> str:
    """What a set is, for titles."""
    scale = "at one size" if planned.magnification == 1 else f"enlarged by {planned.magnification}"
    made = f", degradation {planned.given.preset}" if planned.index is not None else ""
    return f"{counted(len(samples), 'picture')}, {scale}{made}"
