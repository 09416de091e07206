"""Piano rolls to look at: a Score as SVG or PNG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Unpack
from xml.sax.saxutils import escape

from symusic import Score

from toccata.errors import RequestError
from toccata.files import write_bytes
from toccata.render.colours import PAPER
from toccata.render.layout import View, lay_out
from toccata.render.shapes import Line, Page, Rect, Text

_OVERSAMPLING = 2
_BAND = 1200  # units of height painted at a time: a long page is large only once, at its final size
_FONT = "Helvetica Neue, Helvetica, Arial, sans-serif"


def svg(score: Score, **view: Unpack[View]) -> str:
    """``score`` as a piano roll, an SVG document.

    Bars run in systems like those of a score; every track has a colour, velocity is opacity, drums have their own lane.

    Args:
        score: The music, in ticks.
        view: See :class:`~toccata.render.layout.View`.
    """
    page = lay_out(score, **view)
    width, height = _short(page.width), _short(page.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="{_FONT}"><title>{_text(view.get("title") or "Piano roll")}</title>'
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>'
    ]
    parts.extend(_svg_shape(shape) for shape in page.shapes)
    parts.append("</svg>\n")
    return "\n".join(parts)


def png(score: Score, **view: Unpack[View]) -> bytes:
    """``score`` as a piano roll, the bytes of a PNG picture; as ``svg`` in all else."""
    from PIL import Image

    page = lay_out(score, **view)
    width, height = round(page.width), round(page.height)
    image = Image.new("RGB", (width, height), PAPER)
    for top in range(0, height, _BAND):
        image.paste(_band(page, top, min(_BAND, height - top)), (0, top))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=height < 4000)
    return out.getvalue()


def write_roll(score: Score, path: Path, **view: Unpack[View]) -> None:
    """Write a piano roll of ``score`` to ``path``, SVG or PNG by its suffix; see :func:`svg`.

    Raises:
        RequestError: Another suffix.
    """
    suffix = path.suffix.lower()
    if suffix == ".svg":
        write_bytes(path, svg(score, **view).encode())
    elif suffix == ".png":
        write_bytes(path, png(score, **view))
    else:
        raise RequestError(
            f"{path.name}: a piano roll is written as .svg or .png, not as {suffix or 'nothing'}", path=path
        )


def _svg_shape(shape: Rect | Line | Text) -> str:
    if isinstance(shape, Rect):
        extra = f' fill-opacity="{shape.opacity:.2f}"' if shape.opacity < 1 else ""
        extra += f' rx="{_short(shape.radius)}"' if shape.radius else ""
        box = (
            f'x="{_short(shape.x)}" y="{_short(shape.y)}" width="{_short(shape.width)}" height="{_short(shape.height)}"'
        )
        return f'<rect {box} fill="{shape.colour}"{extra}/>'
    if isinstance(shape, Line):
        ends = f'x1="{_short(shape.x1)}" y1="{_short(shape.y1)}" x2="{_short(shape.x2)}" y2="{_short(shape.y2)}"'
        return f'<line {ends} stroke="{shape.colour}" stroke-width="{_short(shape.thickness)}"/>'
    anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
    place = (
        f'x="{_short(shape.x)}" y="{_short(shape.y)}" font-size="{_short(shape.size)}" fill="{shape.colour}"{anchor}'
    )
    return f"<text {place}>{_text(shape.text)}</text>"


def _band(page: Page, top: int, height: int) -> Any:
    """A horizontal strip of ``page`` as a picture, painted larger and scaled down for smooth edges."""
    from PIL import Image, ImageDraw, ImageFont

    zoom = _OVERSAMPLING
    image = Image.new("RGB", (round(page.width) * zoom, height * zoom), PAPER)
    draw = ImageDraw.Draw(image, "RGBA")  # blends what is half transparent
    fonts: dict[float, Any] = {}
    for shape in page.shapes:
        upper, lower = _extent(shape)
        if lower < top or upper > top + height:
            continue
        if isinstance(shape, Rect):
            fill = (*bytes.fromhex(shape.colour[1:]), round(255 * shape.opacity))
            left, upper = shape.x * zoom, (shape.y - top) * zoom
            # In this order: a fraction and one more, less one, may be less than the fraction.
            right, lower = left + (max(1.0, shape.width * zoom) - 1), upper + (max(1.0, shape.height * zoom) - 1)
            box = (left, upper, right, lower)
            if shape.radius:
                draw.rounded_rectangle(box, shape.radius * zoom, fill)
            else:
                draw.rectangle(box, fill)
        elif isinstance(shape, Line):
            half = shape.thickness * zoom / 2
            ends = (shape.x1 * zoom, (shape.y1 - top) * zoom, shape.x2 * zoom, (shape.y2 - top) * zoom)
            upright = shape.x1 == shape.x2
            grow = (half, 0.0) if upright else (0.0, half)
            box = (ends[0] - grow[0], ends[1] - grow[1], ends[2] + grow[0] - 1, ends[3] + grow[1] - 1)
            draw.rectangle((box[0], box[1], max(box[0], box[2]), max(box[1], box[3])), shape.colour)
        else:
            if shape.size not in fonts:
                fonts[shape.size] = ImageFont.load_default(shape.size * zoom)
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
            at = (shape.x * zoom, (shape.y - top) * zoom)
            draw.text(at, shape.text, fill=shape.colour, font=fonts[shape.size], anchor=anchor)
    return image.resize((round(page.width), height), Image.Resampling.BOX)


def _extent(shape: Rect | Line | Text) -> tuple[float, float]:
    """The upper and the lower edge of a shape."""
    if isinstance(shape, Rect):
        return shape.y, shape.y + shape.height
    if isinstance(shape, Line):
        return shape.y1 - shape.thickness, shape.y2 + shape.thickness
    return shape.y - shape.size, shape.y + shape.size / 2


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _text(text: str) -> str:
    """``text`` for an XML document, which cannot hold control characters at all."""
    return escape("".join(c for c in text if c.isprintable()))
