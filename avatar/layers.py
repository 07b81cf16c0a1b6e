"""The operator's own drawing of her: a folder of PNG or SVG files, one a layer, named by what they show.

Every file is judged before it is shown, and what is served is what was judged. SVG files may hold drawings and styles,
but nothing that runs, loads or refers to anything outside of themselves.
"""

from __future__ import annotations

import difflib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from bot.texts import text
from bot.vocabulary import EXPRESSIONS

PARTS = (
    *("back", "body", "head", "brows", "eyes_open", "eyes_closed"),
    *("mouth_closed", "mouth_open", "mouth_a", "mouth_i", "mouth_u", "mouth_e", "mouth_o"),
    "front",
)
"""What a layer shows, from back to front. ``back`` and ``body`` move with the body, the others with the head."""
NAMES = (*PARTS, *(f"{part}_{mood}" for part in PARTS for mood in EXPRESSIONS if mood != "neutral"))
"""Names of layers without their ending; one that ends in a mood takes the plain one's place in it."""
TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
OTHER_PICTURES = (".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".psd", ".apng")

FILE_MOST = 8 * 2**20
ALL_MOST = 96 * 2**20
SIDE_MOST = 4096
"""Bytes and pixels: more would only make OBS slow, 4096 is twice a stream's picture."""

_PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_FORBIDDEN = frozenset(
    "script foreignobject iframe embed object audio video handler listener set animate animatetransform animatemotion"
    " animatecolor a".split()
)
"""Elements that run, load or change others. Animations may not stay: they can rewrite a reference."""
_LINKS = ("href", "src")
_HARMLESS_DATA = re.compile(r"data:image/(png|jpeg|webp|gif);base64,", re.IGNORECASE)
_STYLE_LOADS = re.compile(r"@import|expression\s*\(|-moz-binding|javascript:|\\", re.IGNORECASE)
_STYLE_URL = re.compile(r"url\(\s*[\"']?\s*([^\"'\s]?)", re.IGNORECASE)


class BadLayers(Exception):
    """The folder cannot be used; ``problems`` says why, a sentence for each file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Layer:
    """One judged file."""

    name: str
    type: str
    content: bytes


class _Refused(Exception):
    pass


def read_layers(folder: Path) -> dict[str, Layer]:
    """Return the layers by name. Raises ``BadLayers`` with every mistake at once."""
    layers: dict[str, Layer] = {}
    problems: list[str] = []
    total = 0
    try:
        files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise BadLayers([text("layers.no_folder", folder=folder, error=error.strerror or error)]) from error
    for file in files:
        name, ending = file.stem.lower(), file.suffix.lower()
        if ending in OTHER_PICTURES:
            problems.append(text("layers.not_picture", file=file.name))
        if ending not in TYPES:
            continue
        try:
            if name not in NAMES:
                _refuse_name(name)
            if name in layers:
                raise _Refused(text("layers.twice", name=name))
            layers[name] = layer = Layer(name, TYPES[ending], _content(file))
            total += len(layer.content)
            _judge_png(layer.content) if ending == ".png" else _judge_svg(layer.content)
        except _Refused as refused:
            problems.append(text("layers.problem", file=file.name, reason=refused))
    if total > ALL_MOST:
        problems.append(text("layers.all_too_large", most=ALL_MOST // 2**20))
    problems += _missing(layers)
    if problems:
        raise BadLayers(problems)
    return layers


def _missing(layers: dict[str, Layer]) -> Iterator[str]:
    if not {"body", "head"} & layers.keys():
        yield text("layers.no_body")
    if "mouth_closed" not in layers or not {"mouth_open", "mouth_a"} & layers.keys():
        yield text("layers.no_mouth")
    if ("eyes_open" in layers) != ("eyes_closed" in layers):
        yield text("layers.one_eye")


def _refuse_name(name: str) -> NoReturn:
    near = difflib.get_close_matches(name, NAMES, n=1)
    hint = text("layers.did_you_mean", name=near[0]) if near else text("layers.names", names=", ".join(PARTS))
    raise _Refused(text("layers.unknown_name", hint=hint))


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(FILE_MOST + 1)
    except OSError as error:
        raise _Refused(error.strerror or str(error)) from error
    if len(content) > FILE_MOST:
        raise _Refused(text("layers.too_large", most=FILE_MOST // 2**20))
    return content


def _judge_png(content: bytes) -> None:
    if not content.startswith(_PNG_HEAD) or len(content) < len(_PNG_HEAD) + 8:
        raise _Refused(text("layers.no_png"))
    width, height = struct.unpack_from(">II", content, len(_PNG_HEAD))
    if not (0 < width <= SIDE_MOST and 0 < height <= SIDE_MOST):
        raise _Refused(text("layers.too_wide", width=width, height=height, most=SIDE_MOST))


def _judge_svg(content: bytes) -> None:
    """Read it to its end as XML and refuse whatever could run, load or refer elsewhere."""
    parser = expat.ParserCreate(namespace_separator=" ")
    elements: list[str] = []
    styles: list[str] = []

    def start(qualified: str, attributes: dict[str, str]) -> None:
        name = qualified.rpartition(" ")[2].lower()
        if not elements and name != "svg":
            raise _Refused(text("layers.no_svg"))
        elements.append(name)
        if name in _FORBIDDEN:
            raise _Refused(text("layers.forbidden", what=f"<{name}>"))
        for key, value in attributes.items():
            _judge_attribute(key.lower(), value.strip())

    def characters(data: str) -> None:
        if elements and "style" in elements:
            styles.append(data)

    def doctype(*_: object) -> None:
        raise _Refused(text("layers.forbidden", what="<!DOCTYPE>"))

    def instruction(target: str, _: str) -> None:
        raise _Refused(text("layers.forbidden", what=f"<?{target[:20]}?>"))

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: elements.pop() if len(elements) > 1 else None
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    parser.ProcessingInstructionHandler = instruction
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise _Refused(text("layers.no_xml", line=error.lineno)) from error
    _judge_style("".join(styles))


def _judge_attribute(qualified: str, value: str) -> None:
    """Other programs' notes, in namespaces of their own, do nothing; what links or loads has these names anywhere."""
    namespace, _, name = qualified.rpartition(" ")
    if name.startswith("on") or name == "base":
        raise _Refused(text("layers.forbidden", what=f"{name}="))
    if name in _LINKS and value and not (value.startswith("#") or _HARMLESS_DATA.match(value)):
        raise _Refused(text("layers.refers", what=value[:60]))
    if not namespace:
        _judge_style(value)


def _judge_style(value: str) -> None:
    plain = re.sub(r"/\*.*?\*/", "", value, flags=re.DOTALL)
    if _STYLE_LOADS.search(plain):
        raise _Refused(text("layers.forbidden", what=plain.strip()[:60]))
    for found in _STYLE_URL.finditer(plain):
        if found[1] != "#":
            raise _Refused(text("layers.refers", what=plain[found.start() :][:60]))
