"""Plots as SVG for an HTML page: the one module that knows pygal.

What pygal puts into a drawing of its own, scripts, styles and addresses, is taken out: the page has the
styles, for light and dark and paper, and needs no network. Every figure stands in the page's tables, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pygal
from pygal.style import Style

from ops.wording import percent

_WIDTH: Final = 900
_ROW_HEIGHT: Final = 34
_FONT_PIXELS: Final = 13
"""As the page's styles have it: pygal reckons the room for words with it."""
_NAMESPACES: Final = re.compile(r'\sxmlns(:\w+)?="[^"]*"')
"""In an HTML page the element's name says what it is."""
_MOST_LABELS: Final = 16


@dataclass(frozen=True, slots=True)
class Plot:
    """One drawing: what it shows in a few words, and in a sentence for those who do not see it."""

    name: str
    title: str
    description: str
    svg: str


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one colour. `kind` is the class that the page's styles know: kept or broken."""

    kind: str
    values: Sequence[float | None]


def across(name: str, title: str, description: str, labels: Sequence[str], series: Series) -> Plot:
    """Shares in percent as bars across, from the top in the order given."""
    chart = pygal.HorizontalBar(
        **_options(len(labels) * _ROW_HEIGHT + 60), range=(0, 100), formatter=_as_percent
    )
    chart.x_labels = list(reversed(labels))
    chart.add(series.kind, list(reversed(series.values)))
    return Plot(name, title, description, _svg(chart, name, description, [series]))


def upright(name: str, title: str, description: str, labels: Sequence[str], series: Sequence[Series]) -> Plot:
    """Counts as bars that stand on each other."""
    chart = pygal.StackedBar(**_options(300), formatter=_as_count)
    chart.x_labels = list(labels)
    if len(labels) > _MOST_LABELS:
        chart.x_labels_major_every = -(-len(labels) // _MOST_LABELS)
        chart.show_minor_x_labels = False
    for each in series:
        chart.add(each.kind, list(each.values))
    return Plot(name, title, description, _svg(chart, name, description, series))


def _options(height: int) -> dict[str, Any]:
    return {
        "width": _WIDTH,
        "height": height,
        "show_legend": False,
        "print_values": True,
        "print_zeroes": False,
        "print_values_position": "top",
        "disable_xml_declaration": True,
        "no_prefix": True,
        "js": (),
        "css": (),
        "margin": 10,
        "style": Style(label_font_size=_FONT_PIXELS, major_label_font_size=_FONT_PIXELS),
        "truncate_label": -1,
    }


def _as_percent(value: float | None) -> str:
    return "" if value is None else f"{percent(value / 100):g} %"


def _as_count(value: float | None) -> str:
    return f"{value:g}" if value else ""


def _svg(chart: Any, name: str, description: str, series: Sequence[Series]) -> str:
    def cleaned(root: Any) -> Any:
        for parent in list(root.iter()):
            for child in list(parent):
                # A comment has a function for a tag. Single bars' descriptions would be read out one by one.
                if not isinstance(child.tag, str) or child.tag in ("script", "style", "title", "desc"):
                    parent.remove(child)
        for number, each in enumerate(series):
            for element in root.iter():
                if f"serie-{number}" in element.get("class", "").split():
                    element.set("class", f"series {each.kind}")
        for key in ("id", "class"):
            root.attrib.pop(key, None)
        root.set("role", "img")
        root.set("aria-labelledby", f"{name}-title {name}-description")
        return root

    chart.add_xml_filter(cleaned)
    drawn = _NAMESPACES.sub("", chart.render(is_unicode=True))
    return drawn.replace(">", f'><desc id="{name}-description">{_escaped(description)}</desc>', 1)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
