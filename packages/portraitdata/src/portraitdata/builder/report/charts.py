"""The histograms of a report."""

import numpy as np

from portraitdata.builder.report.histograms import histogram
from portraitdata.builder.report.material import Material
from portraitdata.builder.report.numbers import section

NOTHING = np.zeros(0)


def charts_section(material: Material) -> str:
    """Sizes, aspects, sharpness and scores of images, distances of eyes, similarities of faces."""
    return section("charts", "How it is distributed", f'<div class="charts">{"".join(_charts(material))}</div>')


def _charts(material: Material) -> list[str]:
    kept, config = material.is_kept, material.config
    width, height = (_known(material, side) for side in ("width", "height"))
    longer, aspect = np.fmax(width, height), width / height
    low, high = config.size.aspect
    charts = [
        _both("Longer side", "pixels", longer, kept, [(float(config.size.longer_above), "above")], True),
        _both("Width divided by height", "", aspect, kept, [(low, "from"), (high, "to")]),
        histogram(
            "Distance of the eyes",
            "pixels",
            material.faces["eye_distance"].to_numpy().astype(np.float64),
            NOTHING,
            [(config.faces.eyes_at_least, "from")],
            True,
        ),
    ]
    least = config.quality.sharpness_at_least
    charts.append(
        _both("Sharpness", "variance of the Laplacian", material.values("sharpness"), kept, _mark(least), True)
    )
    bounds: dict[str, float | None] = {scorer.column: scorer.at_least for scorer in config.quality.scorers}
    for column, title in (("quality", "Image quality"), ("aesthetic", "Aesthetics")):
        values = material.values(column)
        if np.isfinite(values).any():
            charts.append(_both(title, "score", values, kept, _mark(bounds.get(column))))
    return [*charts, *_similarities(material)]


def _similarities(material: Material) -> list[str]:
    cosine = material.pairs["cosine"].to_numpy().astype(np.float64)
    is_pair = np.array([status == "kept" for status in material.pairs["status"].to_pylist()], np.bool_)
    pairs = material.config.pairs
    lines = [(pairs.similarity_above, "pairs above"), (pairs.duplicates_above, "one shot above")]
    charts = [_both("Similarity of two faces", "cosine", cosine, is_pair, lines)]
    cross, facts = material.cross, material.split_facts
    charts.append(
        histogram(
            "Most similar training face of each test face",
            "cosine",
            NOTHING if cross is None else cross.cosine.astype(np.float64),
            NOTHING,
            [] if facts is None or cross is None else [(facts.threshold, "kept together above")],
        )
    )
    return charts


def _both(
    title: str,
    unit: str,
    values: np.ndarray,
    kept: np.ndarray,
    lines: list[tuple[float, str]],
    logarithmic: bool = False,
) -> str:
    return histogram(title, unit, values[kept], values[~kept], lines, logarithmic)


def _known(material: Material, side: str) -> np.ndarray:
    """A side in pixels: of the file, else as listed; not a number where it is neither."""
    values, listed = material.values(side), material.values(f"listed_{side}")
    values = np.where(np.isfinite(values), values, listed)
    return np.where(values > 0, values, np.nan)


def _mark(value: float | None) -> list[tuple[float, str]]:
    return [(value, "from")] if value else []
