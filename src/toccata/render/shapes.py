"""What a picture is made of: the layout gives shapes, painters make SVG or pixels of them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rect:
    """A filled rectangle; ``radius`` rounds its corners."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    opacity: float = 1.0
    radius: float = 0.0


@dataclass(frozen=True)
class Line:
    """A line that runs straight across or straight down."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    thickness: float = 1.0


@dataclass(frozen=True)
class Text:
    """A line of text; ``y`` is its baseline, ``anchor`` (start | middle | end) what ``x`` means."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    anchor: str = "start"


Shape = Rect | Line | Text


@dataclass
class Page:
    """Shapes in painting order, on a page of ``width`` by ``height``."""

    width: float
    height: float = 0.0
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Paint ``shapes`` over what is there."""
        self.shapes.extend(shapes)
