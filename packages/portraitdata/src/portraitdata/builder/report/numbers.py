"""Sections of a report that count: the funnel, licences and sources, the split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from portraitdata.builder.layout import KEPT, FunnelRow
from portraitdata.builder.report.explanations import explanation
from portraitdata.builder.report.material import Material

STAGE_WORDS = {
    "index": "sizes and wishes, from lists and headers",
    "download": "downloading",
    "quality": "decoding, sharpness, quality",
    "faces": "finding faces",
    "deduplicate": "finding duplicates",
}
"""Descriptions of the stages of the funnel."""


def funnel_section(rows: Sequence[FunnelRow], reached: Mapping[str, int]) -> str:
    """The funnel as bars and as a table with what each reason means.

    Args:
        reached: How many candidates each stage has come to.
    """
    total = sum(row.count for row in rows if row.stage == "index")
    if not total:
        return section("funnel", "What came through", "<p>No stage has written anything yet.</p>")
    bars = [_bar("candidates", "listed by the sources", total, total)]
    bars += [_bar(row.stage, STAGE_WORDS.get(row.stage, ""), row.count, total) for row in rows if not row.reason]
    cells = []
    for row in rows:
        kind = "" if row.reason else " class=through"
        meaning = explanation(row.reason) if row.reason else ""
        cells.append(
            f"<tr{kind}><td>{escape(row.stage)}</td><td>{escape(row.reason or 'came through')}</td>"
            f"<td class=n>{row.count}</td><td class=n>{share(row.count, total)}</td><td>{escape(meaning)}</td></tr>"
        )
    head = "<tr><th>stage</th><th>reason</th><th class=n>images</th><th class=n>of all</th><th>what it means</th></tr>"
    table = f'<div class="wide"><table>{head}{"".join(cells)}</table></div>'
    late = "".join(
        f'<p class="warning">The stage {escape(stage)} has come to {count} of {total} candidates so far.</p>'
        for stage, count in reached.items()
        if 0 < count < total
    )
    return section("funnel", "What came through", f'{late}<div class="bars">{"".join(bars)}</div>{table}')


def sources_section(material: Material) -> str:
    """Numbers of listed and of kept images by source and licence."""
    columns = (material.images[name].to_pylist() for name in ("source", "licence"))
    listed = [(source, licence or "not known") for source, licence in zip(*columns, strict=True)]
    if not listed:
        return section("sources", "Sources and licences", "<p>There are no candidates yet.</p>")
    kept = Counter(entry for entry, through in zip(listed, material.is_kept, strict=True) if through)
    cells = [
        f"<tr><td>{escape(source)}</td><td>{escape(licence)}</td><td class=n>{count}</td>"
        f"<td class=n>{kept[source, licence]}</td><td class=n>{share(kept[source, licence], count)}</td></tr>"
        for (source, licence), count in sorted(Counter(listed).items())
    ]
    head = "<tr><th>source</th><th>licence</th><th class=n>listed</th><th class=n>kept</th><th class=n>share</th></tr>"
    unknown = sum(count for (_, licence), count in kept.items() if licence == "not known")
    words = f"<p>Kept images whose licence is not known: {unknown}.</p>" if unknown else ""
    return section(
        "sources", "Sources and licences", f'{words}<div class="wide"><table>{head}{"".join(cells)}</table></div>'
    )


def split_section(material: Material) -> str:
    """Split of the people, and how far apart its sides are."""
    facts = material.split_facts
    if facts is None:
        return section("split", "Training and testing", "<p>There is no split yet.</p>")
    sizes = Counter(material.split_of.values())
    pairs: Counter[str] = Counter()
    columns = (material.pairs[name].to_pylist() for name in ("face_a", "status"))
    for face, status in zip(*columns, strict=True):
        if status == KEPT:
            pairs[material.split_of.get(face.rpartition(":")[0], "")] += 1
    cross = facts.largest_cross_similarity
    rows = [
        ("Images for training", sizes["train"]),
        ("Images for testing", sizes["test"]),
        ("Pairs for training", pairs["train"]),
        ("Pairs for testing", pairs["test"]),
        ("Groups of similar faces", facts.groups),
        ("Images in the largest group", facts.largest_group),
        ("Similarity from which faces stay together", f"{facts.threshold:.2f}"),
        ("Largest similarity across the split", "no faces on one side" if cross is None else f"{cross:.3f}"),
    ]
    cells = "".join(f"<tr><td>{name}</td><td class=n>{value}</td></tr>" for name, value in rows)
    words = (
        "<p>Images that are connected by similar faces, directly or through others, are on one side. The largest "
        "similarity of a face for training and one for testing says how far apart the two sides are.</p>"
    )
    warning = ""
    if cross is not None and cross > facts.threshold:
        warning = '<p class="warning">It is above the threshold: somebody is on both sides.</p>'
    return section("split", "Training and testing", f"{words}<table>{cells}</table>{warning}")


def section(name: str, title: str, content: str) -> str:
    """A section of the page.

    Example:
        >>> section("a", "A & B", "<p>C</p>")
        '<section id="a"><h2>A &amp; B</h2><p>C</p></section>'
    """
    return f'<section id="{name}"><h2>{escape(title)}</h2>{content}</section>'


def share(part: int, whole: int) -> str:
    """Percent.

    Example:
        >>> share(1, 3), share(1, 3000)
        ('33.3 %', '0.03 %')
    """
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.2f} %" if 0 < percent < 0.1 else f"{percent:.1f} %"


def _bar(name: str, words: str, count: int, total: int) -> str:
    return (
        f'<div class="stage"><b>{escape(name)}</b> <small>{escape(words)}</small>'
        f'<div class="track"><div class="bar" style="width:{100 * count / total:.2f}%"></div></div>'
        f'<span class="count">{count} <small>{share(count, total)}</small></span></div>'
    )
