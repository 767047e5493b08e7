"""A report as one HTML page that needs nothing else: no script, no picture, no other address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from earmark.batch.report import Report, Sums

# Exclusive parts of the time, as they are stacked, and their colours, told apart without colour vision, too.
_PARTS = {
    "speech only": "#0072b2",
    "speech and music": "#009e73",
    "music only": "#e69f00",
    "neither": "#d0d0d0",
}
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff }
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse } th, td { padding: .2rem .8rem .2rem 0; text-align: left }
th { border-bottom: 1px solid #888 } td { border-bottom: 1px solid #ddd } .n { text-align: right }
.dim, svg text { color: #666; fill: #666 } svg text { font: 11px system-ui, sans-serif }
.key span { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em }
"""
_WIDTH, _HEIGHT, _BAR = 960, 220, 18
_MOST_ROWS = 1000  # of a table; the CSV file has all


@dataclass(frozen=True)
class _Unit:
    """What times are told in, on all of a page."""

    name: str
    sign: str
    seconds: float

    def number(self, seconds: float, digits: int = 2) -> str:
        return f"{seconds / self.seconds:,.{digits}f}"

    def text(self, seconds: float, digits: int = 2) -> str:
        return f"{self.number(seconds, digits)} {self.sign}"


_UNITS = (_Unit("hours", "h", 3600.0), _Unit("minutes", "min", 60.0), _Unit("seconds", "s", 1.0))


def make_page(report: Report, title: str) -> str:
    """Return the report as HTML."""
    total = report.total
    unit = next((unit for unit in _UNITS if total.duration >= unit.seconds), _UNITS[0])
    stacks = {"both", "neither", "speech", "music"} <= set(report.labels)
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{total.done:,} recordings, {unit.number(total.duration, 1)} {unit.name}"
        + (f"; {total.failed:,} failed" if total.failed else "")
        + (f"; {total.open:,} are not done yet" if total.open else "")
        + "</p>",
        _table("", {"all": total}, report.labels, unit),
    ]
    if stacks and report.groups:  # the key of the charts
        keys = "".join(f'<span style="background:{ink}"></span>{name}' for name, ink in _PARTS.items())
        body.append(f'<p class="key dim">{unit.name.title()}:{keys}</p>')
    for key, sums in report.groups.items():
        body.append(f"<h2>By {escape(key)}</h2>")
        if stacks and total.duration:
            body.append(_columns(sums, unit) if key == "day" else _bars(sums, unit))
        body.append(_table(key, sums, report.labels, unit))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def parts_of(sums: Sums) -> dict[str, float]:
    """Return the seconds of the exclusive parts of the time."""
    speech, music, both = (sums.seconds.get(name, 0.0) for name in ("speech", "music", "both"))
    values = (speech - both, both, music - both, sums.seconds.get("neither", 0.0))
    return dict(zip(_PARTS, (max(0.0, value) for value in values), strict=True))


def _columns(groups: Mapping[str, Sums], unit: _Unit) -> str:
    """Draw a column for each value, as for days."""
    most = max(sum(parts_of(sums).values()) for sums in groups.values()) or 1.0
    step = min(40.0, _WIDTH / len(groups))
    drawn = []
    for i, (value, sums) in enumerate(groups.items()):
        y = float(_HEIGHT)
        for name, seconds in parts_of(sums).items():
            height = seconds / most * (_HEIGHT - 15)
            y -= height
            told = f"{value}: {name} {unit.text(seconds)}"
            drawn.append(_rectangle(i * step, y, max(0.5, step - 1), height, name, told))
    # As many dates as have room.
    every = max(1, -(-len(groups) // int(_WIDTH / 75)))
    for i, value in enumerate(groups):
        if i % max(every, int(-(-75 // step))) == 0:
            drawn.append(f'<text x="{i * step:.1f}" y="{_HEIGHT + 14}">{escape(value)}</text>')
    drawn.append(f'<text x="0" y="10">{unit.text(most, 1)}</text>')
    return _svg(_WIDTH + 60, _HEIGHT + 20, drawn)


def _bars(groups: Mapping[str, Sums], unit: _Unit) -> str:
    """Draw a bar for each value, the longest first."""
    ordered = sorted(groups.items(), key=lambda pair: -pair[1].duration)[:40]
    most = max(sum(parts_of(sums).values()) for _, sums in ordered) or 1.0
    drawn = []
    for i, (value, sums) in enumerate(ordered):
        x, y = 200.0, i * (_BAR + 4)
        shown = value if len(value) <= 30 else f"{value[:29]}…"
        drawn.append(f'<text x="194" y="{y + 13}" text-anchor="end">{escape(shown)}</text>')
        for name, seconds in parts_of(sums).items():
            width = seconds / most * (_WIDTH - 200)
            told = f"{value}: {name} {unit.text(seconds)}"
            drawn.append(_rectangle(x, y, width, _BAR, name, told))
            x += width
    return _svg(_WIDTH, len(ordered) * (_BAR + 4), drawn)


def _rectangle(x: float, y: float, width: float, height: float, name: str, told: str) -> str:
    if not width or not height:
        return ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{_PARTS[name]}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _svg(width: int, height: int, drawn: Iterable[str]) -> str:
    inner = "".join(drawn)
    return f'<svg role="img" viewBox="0 0 {width} {height}" width="100%">{inner}</svg>'


def _table(key: str, groups: Mapping[str, Sums], labels: Sequence[str], unit: _Unit) -> str:
    names = [key, "recordings", "failed", unit.name, *(f"{label}, {unit.sign}" for label in labels)]
    head = "".join(f"<th{' class=n' * (i > 0)}>{escape(name)}</th>" for i, name in enumerate(names))
    lines = [f"<tr>{head}</tr>"]
    for value, sums in list(groups.items())[:_MOST_ROWS]:
        numbers = [f"{sums.done:,}", f"{sums.failed:,}", unit.number(sums.duration)]
        numbers += [unit.number(sums.seconds.get(label, 0.0)) for label in labels]
        cells = "".join(f"<td class=n>{number}</td>" for number in numbers)
        lines.append(f"<tr><td>{escape(value)}</td>{cells}</tr>")
    if len(groups) > _MOST_ROWS:
        lines.append(f"<tr><td>… {len(groups) - _MOST_ROWS:,} more</td></tr>")
    return "<table>" + "\n".join(lines) + "</table>"
