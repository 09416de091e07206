"""The data check on paper: as a table for spreadsheets and as a page to read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

from toccata.midi.contents import Checked, Contents

_COLUMNS = ("path", "status", "reason", "duplicate_group", "content")
_FACTS = ("notes", "tracks", "seconds", "quarters", "bars", "polyphony", "quantised")
_LISTS = ("programs", "meters", "tempo", "pitches")
_ROWS = 2_000  # a page with more rows is slow to open

_STYLE = """
:root{--ink:#1d2330;--soft:#667085;--line:#e4e7ec;--paper:#fcfcfb;--card:#fff;--mark:#3b6fb6;--warn:#b54708}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8ec;--soft:#98a2b3;--line:#2b3240;--paper:#12151b;--card:#1a1f28;
--mark:#7aa7e6;--warn:#f0a35e}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:40px 20px 80px}
h1{font-size:26px;margin:0}h2{font-size:18px;margin:40px 0 12px}
p{color:var(--soft);margin:4px 0 0;overflow-wrap:anywhere}.tiles{display:flex;flex-wrap:wrap;gap:12px;margin-top:24px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 18px;min-width:130px}
.tile b{display:block;font-size:24px;font-variant-numeric:tabular-nums}.tile span{color:var(--soft);font-size:13px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:0 40px}
.bar{display:grid;grid-template-columns:170px 1fr 60px;gap:10px;align-items:center;padding:2px 0}
.bar i{display:block;height:10px;border-radius:5px;background:var(--mark);min-width:2px}
.bar em{font-style:normal;color:var(--soft);text-align:right;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13.5px}
th{text-align:left;color:var(--soft);font-weight:500}th,td{padding:6px 10px 6px 0;border-bottom:1px solid var(--line)}
td{vertical-align:top;overflow-wrap:anywhere}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.why{color:var(--warn)}summary{cursor:pointer}ul{padding-left:20px}li{overflow-wrap:anywhere}
"""


def as_csv(report: Contents) -> str:
    """A row for each file, accepted or not, by path. Lists are joined with spaces."""
    group = {path: number for number, paths in enumerate(report.duplicates, 1) for path in paths}
    rows: list[dict[str, object]] = [
        {"path": file.path, "status": "rejected", "reason": file.reason} for file in report.rejected
    ]
    for file in report.accepted:
        facts = file.facts
        row: dict[str, object] = {"path": file.path, "status": "accepted", "content": file.content}
        row["duplicate_group"] = group.get(file.path, "")
        row |= {name: getattr(facts, name) for name in _FACTS}
        row |= {name: " ".join(str(value) for value in getattr(facts, name) or ()) for name in _LISTS}
        rows.append(row)
    out = io.StringIO()
    writer = csv.DictWriter(out, [*_COLUMNS, *_FACTS, *_LISTS], lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: str(row["path"])))
    return out.getvalue()


def as_html(report: Contents) -> str:
    """A page that needs nothing but itself."""
    files = len(report.accepted) + len(report.rejected)
    tiles = {
        "files": f"{files:,}",
        "can be used": f"{len(report.accepted):,}",
        "rejected": f"{len(report.rejected):,}",
        "groups of duplicates": f"{len(report.duplicates):,}",
        "notes": f"{report.notes:,}",
        "hours": f"{report.hours:,.1f}",
        "on the grid": f"{report.quantised:.0%}",
    }
    name = escape(str(report.folder))
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width,initial-scale=1">',
        f"<title>MIDI check: {name}</title><style>{_STYLE}</style><main><h1>What is in this folder</h1><p>{name}</p>",
        "<div class=tiles>",
        *(f"<div class=tile><b>{value}</b><span>{label}</span></div>" for label, value in tiles.items()),
        "</div><div class=two>",
        _bars("Instruments", report.instruments),
        _bars("Meters", report.meters),
        "</div>",
        _rejected(report),
        _duplicates(report),
        _pieces(report),
        "</main></html>\n",
    ]
    return "".join(part for part in parts if part)


def _bars(title: str, counts: dict[str, int], most: int = 15) -> str:
    if not counts:
        return ""
    top = max(counts.values())
    rows = [
        f"<div class=bar><span>{escape(name)}</span><i style='width:{100 * count / top:.1f}%'></i>"
        f"<em>{count:,}</em></div>"
        for name, count in list(counts.items())[:most]
    ]
    more = f"<p>and {len(counts) - most} more</p>" if len(counts) > most else ""
    return f"<section><h2>{title}, by files</h2>{''.join(rows)}{more}</section>"


def _rejected(report: Contents) -> str:
    rows = (
        f"<tr><td>{_name(file.path, report)}<td class=why>{escape(file.reason)}" for file in report.rejected[:_ROWS]
    )
    return _table("Rejected, and why", ("file", "reason"), rows, len(report.rejected))


def _duplicates(report: Contents) -> str:
    groups = report.duplicates
    if not groups:
        return ""
    items = "".join(f"<li>{'<br>'.join(_name(path, report) for path in group)}" for group in groups[:_ROWS])
    what = "Whatever the file name, key, tempo or instruments."
    return f"<h2>The same notes more than once</h2><p>{what}</p><ul>{items}</ul>"


def _pieces(report: Contents) -> str:
    heads = ("file", "notes", "bars", "time", "meters", "on the grid", "voices")
    return _table(
        "Files that can be used",
        heads,
        (_piece(file, report) for file in report.accepted[:_ROWS]),
        len(report.accepted),
    )


def _piece(file: Checked, report: Contents) -> str:
    facts = file.facts
    minutes, seconds = divmod(round(facts.seconds), 60)
    cells = (
        f"{facts.notes:,}",
        f"{facts.bars:,}",
        f"{minutes}:{seconds:02}",
        " ".join(facts.meters[:3]) + (" …" if len(facts.meters) > 3 else ""),
        f"{facts.quantised:.0%}",
        f"{facts.polyphony:.1f}",
    )
    return f"<tr><td>{_name(file.path, report)}" + "".join(f"<td class=n>{cell}" for cell in cells)


def _table(title: str, heads: tuple[str, ...], rows: Iterable[str], count: int) -> str:
    if not count:
        return ""
    numeric = len(heads) > 2
    head = "".join(f"<th{' class=n' if numeric and place else ''}>{escape(text)}" for place, text in enumerate(heads))
    more = f"<p>The first {_ROWS:,} of {count:,}; the .csv and .json reports have all.</p>" if count > _ROWS else ""
    opened = " open" if count <= 200 else ""
    return (
        f"<h2>{title}</h2>{more}<details{opened}><summary>{count:,} files</summary>"
        f"<div class=wide><table><thead><tr>{head}<tbody>{''.join(rows)}</table></div></details>"
    )


def _name(path: Path, report: Contents) -> str:
    return escape(str(path.relative_to(report.folder) if path.is_relative_to(report.folder) else path))
