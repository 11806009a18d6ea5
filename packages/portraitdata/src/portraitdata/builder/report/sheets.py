"""Contact sheets of a report: what was kept, what was dropped and why, pairs beside each other."""

from collections.abc import Sequence
from html import escape

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from portraitdata.builder.layout import KEPT
from portraitdata.builder.report.explanations import UNSHOWN, explanation
from portraitdata.builder.report.material import Material
from portraitdata.builder.report.numbers import section
from portraitdata.builder.report.thumbnails import image_or_words

KEPT_SHOWN, DROPPED_SHOWN, PAIRS_SHOWN = 24, 8, 12
"""Images on the first sheet, for each reason on the second, and pairs on each of the others."""


def kept_section(material: Material, seed: int) -> str:
    """Kept images, drawn at random."""
    rows = _drawn(np.flatnonzero(material.is_kept), KEPT_SHOWN, seed)
    figures = [_figure(material, row, _size(material, row)) for row in rows]
    words = f"<p>{len(rows)} of {int(material.is_kept.sum())} images that came through, drawn at random.</p>"
    return section("kept", "What was kept", f"{words}{_grid(figures)}")


def dropped_section(material: Material, seed: int) -> str:
    """Dropped images, some of each reason, with the reason below each."""
    reasons = np.array(material.images["reason"].to_pylist(), object)
    parts = []
    for reason in dict.fromkeys(row.reason for row in material.funnel if row.reason):
        rows = np.flatnonzero(reasons == reason)
        shown = f"<h3>{escape(reason)} <small>{len(rows)}</small></h3><p>{escape(explanation(reason))}"
        if reason in UNSHOWN:
            parts.append(f"{shown} Such images are not shown here.</p>")
            continue
        drawn = _drawn(rows, DROPPED_SHOWN, seed)
        there = [row for row in drawn if material.images["path"][row].is_valid]
        if not there:
            parts.append(f"{shown} There are no files to show.</p>")
            continue
        details = [material.images["detail"][row].as_py() or reason for row in there]
        figures = [_figure(material, row, reason, detail) for row, detail in zip(there, details, strict=True)]
        parts.append(f"{shown}</p>{_grid(figures)}")
    return section("dropped", "What was dropped", "".join(parts) or "<p>Nothing was dropped.</p>")


def pairs_section(material: Material, seed: int) -> str:
    """Pairs for training and for testing, drawn at random, the most similar first."""
    pairs = material.pairs
    kept = pairs.filter(pc.equal(pairs["status"], KEPT))
    split = np.array(
        [material.split_of.get(face.rpartition(":")[0], "") for face in kept["face_a"].to_pylist()], object
    )
    parts = []
    for side, title in (("train", "for training"), ("test", "for testing"), ("", "not divided yet")):
        rows = np.flatnonzero(split == side)
        if not side and not len(rows):
            continue
        drawn = kept.take(pa.array(_drawn(rows, PAIRS_SHOWN, seed), pa.int64())).sort_by([("cosine", "descending")])
        figures = [_pair(material, **row) for row in drawn.select(["face_a", "face_b", "cosine"]).to_pylist()]
        heading = f"<h3>Pairs {title} <small>{len(rows)}</small></h3>"
        parts.append(f"{heading}{_grid(figures, 'pairs') if figures else '<p>There are none.</p>'}")
    words = (
        "<p>The program takes the two faces of each pair for one person. Look whether they are: a pair of two people "
        "is learned from as if they were one.</p>"
    )
    return section("pairs", "Pairs of faces", words + "".join(parts))


def _pair(material: Material, face_a: str, face_b: str, cosine: float) -> str:
    shown = []
    for face in (face_a, face_b):
        row = material.row_of.get(face.rpartition(":")[0])
        if row is None:
            shown.append('<span class="gone">no longer kept</span>')
        else:
            words = f"a face of image {face.rpartition(':')[0]}"
            shown.append(image_or_words(material.read(row), face, words, material.boxes.get(face)))
    return f"<figure><div class=two>{''.join(shown)}</div><figcaption>{cosine:.3f}</figcaption></figure>"


def _figure(material: Material, row: int, caption: str, detail: str = "") -> str:
    uid = material.images["uid"][row].as_py()
    image = image_or_words(material.read(row), uid, f"image {uid}: {caption}")
    told = escape(detail or uid, quote=True)
    return f'<figure title="{told}">{image}<figcaption>{escape(caption)}</figcaption></figure>'


def _size(material: Material, row: int) -> str:
    return f"{material.images['width'][row].as_py()} × {material.images['height'][row].as_py()}"  # noqa: RUF001


def _drawn(rows: np.ndarray, count: int, seed: int) -> list[int]:
    """Some of the rows, in their order."""
    chosen = np.random.default_rng((seed, len(rows))).permutation(len(rows))[:count]
    return rows[np.sort(chosen)].tolist()


def _grid(figures: Sequence[str], kind: str = "images") -> str:
    return f'<div class="grid {kind}">{"".join(figures)}</div>'
