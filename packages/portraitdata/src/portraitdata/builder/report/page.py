"""The page of a report."""

from html import escape
from pathlib import Path

from portraitdata.builder.report.charts import charts_section
from portraitdata.builder.report.material import Material
from portraitdata.builder.report.numbers import funnel_section, sources_section, split_section
from portraitdata.builder.report.sheets import dropped_section, kept_section, pairs_section

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content security policy of the page: nothing is loaded that is not in it."""

SECTIONS = {
    "funnel": "What came through",
    "charts": "Distributions",
    "kept": "Kept",
    "dropped": "Dropped",
    "pairs": "Pairs",
    "split": "Split",
    "sources": "Licences",
}
"""Names of the sections, and what the links to them say."""


def report_page(build: Path, seed: int = 0) -> str:
    """HTML that shows a build, as far as it has come; it needs no other file and loads nothing.

    Args:
        seed: Seed of the choice of images to show.

    Raises:
        FileNotFoundError: If there is no build.
        ValueError: If its configuration or a table cannot be read.
    """
    material = Material(build)
    sections = (
        funnel_section(material.funnel, material.reached),
        charts_section(material),
        kept_section(material, seed),
        dropped_section(material, seed),
        pairs_section(material, seed),
        split_section(material),
        sources_section(material),
    )
    links = "".join(f'<a href="#{name}">{words}</a>' for name, words in SECTIONS.items())
    name = escape(build.resolve().name)
    key = (
        '<p><span class="key" style="background:var(--kept)"></span> kept '
        '<span class="key" style="background:var(--dropped)"></span> dropped</p>'
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="referrer" content="no-referrer">'
        f"<title>{name}</title><style>{STYLE}</style></head><body>"
        f"<h1>{name}</h1><p>{_summary(material)}</p>"
        "<p>This page shows people. Treat it as the photographs themselves: it is for those who check the data set, "
        f"not for publication.</p><nav>{links}</nav>{key}<main>{''.join(sections)}</main></body></html>\n"
    )


def _summary(material: Material) -> str:
    kept, all_of_them = int(material.is_kept.sum()), material.images.num_rows
    pairs = material.pairs["status"].to_pylist().count("kept")
    return f"Of {all_of_them} candidates {kept} are kept, with {material.faces.num_rows} faces in {pairs} pairs."


STYLE = """
:root{color-scheme:light dark;--ink:#1d2329;--soft:#5c6873;--page:#fbfbf9;--card:#fff;--edge:#dfe3e6;--kept:#2a7f62;
--dropped:#c9cfd4;--mark:#b3541e}
@media (prefers-color-scheme:dark){:root{--ink:#e4e7ea;--soft:#9aa5af;--page:#15191d;--card:#1d2328;--edge:#323a42;
--kept:#4fb892;--dropped:#4a545d;--mark:#f0a067}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:1.2rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:1.7rem;margin:.4rem 0;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:0 0 .6rem}
h3{font-size:1rem;margin:1.4rem 0 .2rem}h3 small,.count small,.stage small{color:var(--soft);font-weight:normal}
p{margin:.3rem 0 .8rem;max-width:46rem}
nav{display:flex;flex-wrap:wrap;gap:.4rem 1rem;margin:.8rem 0 1.2rem}a{color:var(--kept)}
section{background:var(--card);border:1px solid var(--edge);border-radius:12px;padding:1.1rem;margin:0 0 1.2rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .9rem .3rem 0;border-bottom:1px solid var(--edge)}
th{color:var(--soft);font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide td:last-child{min-width:15rem}.wide .n:last-child{min-width:0}
.through td{font-weight:600;white-space:nowrap}
.bars{margin:0 0 1.2rem}.stage{display:grid;grid-template-columns:1fr auto;gap:0 1rem;margin:0 0 .6rem}
.stage b{grid-column:1}.stage>small{grid-column:1;grid-row:2}.track{grid-column:1/3;grid-row:3;height:14px;
background:var(--dropped);border-radius:7px;overflow:hidden}.bar{height:100%;background:var(--kept)}
.count{grid-column:2;grid-row:1/3;align-self:end;text-align:right;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:1.2rem}
figure{margin:0}.chart figcaption{font-size:.85rem;color:var(--soft)}.chart b{color:var(--ink);font-size:.95rem}
svg{width:100%;height:auto;display:block}svg text{font-family:inherit!important}
.grid{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fill,minmax(132px,1fr))}
.grid.pairs{grid-template-columns:repeat(auto-fill,minmax(min(100%,240px),1fr))}
.grid{align-items:end}
.grid img{width:100%;height:auto;max-height:190px;object-fit:contain;border-radius:8px;display:block}
.grid.pairs img{aspect-ratio:1;object-fit:cover}.two{display:grid;grid-template-columns:1fr 1fr;gap:4px}
.gone{width:100%;aspect-ratio:1;border-radius:8px;display:flex;
align-items:center;justify-content:center;text-align:center;color:var(--soft);font-size:.8rem;
border:1px dashed var(--edge);padding:.4rem}
.grid figcaption{font-size:.8rem;color:var(--soft);text-align:center;overflow-wrap:anywhere}
.key{display:inline-block;width:.8em;height:.8em;border-radius:3px;vertical-align:-.05em}.warning{color:var(--mark);
font-weight:600}
"""
"""Style sheet; the fonts are those of the reader's system."""
