"""The operator's own drawing: what is taken, what is refused and why, and that it can do no harm in the page."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from playwright.async_api import Browser

from avatar.layers import FILE_MOST, NAMES, BadLayers, read_layers
from bot.texts import text
from tests.browser import GoLive, becomes, go_live, pages

__all__ = ["go_live"]

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 100 100">{}</svg>'
)
NEEDED = ("body", "mouth_closed", "mouth_open")


def svg(inside: str = "<circle r='9'/>") -> bytes:
    return SVG.format(inside).encode()


def png(colour: tuple[int, int, int], width: int = 20, height: int = 20, *, top: int = 0, bottom: int = 20) -> bytes:
    """A picture with a band of one colour from ``top`` to ``bottom``, transparent elsewhere."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    def row(at: int) -> bytes:
        return b"\0" + bytes((*colour, 255 if top <= at < bottom else 0)) * width

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"".join(row(at) for at in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def folder_of(tmp_path: Path, **files: bytes) -> Path:
    """A folder with the layers that must be there, and these; ``name__png`` is ``name.png``."""
    folder = tmp_path / "layers"
    folder.mkdir(exist_ok=True)
    for name in NEEDED:
        (folder / f"{name}.svg").write_bytes(svg())
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def problems(folder: Path) -> str:
    with pytest.raises(BadLayers) as refused:
        read_layers(folder)
    return "\n".join(refused.value.problems)


def test_png_and_svg_are_taken_whatever_else_lies_there(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, eyes_open__png=png((0, 0, 0)), Eyes_Closed__PNG=png((0, 0, 0)), notes__txt=b"mine")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "old").mkdir()
    layers = read_layers(folder)
    assert sorted(layers) == ["body", "eyes_closed", "eyes_open", "mouth_closed", "mouth_open"]
    assert layers["eyes_open"].type == "image/png"
    assert layers["body"].content == svg()


def test_drawing_programs_notes_styles_and_gradients_may_stay(tmp_path: Path) -> None:
    inside = """<metadata xmlns:i="urn:i" i:docname="C:\\Users\\me\\a.svg"><i:note i:export="C:\\x"/></metadata>
      <style>.a { fill: url(#g); stroke: #123 }</style><linearGradient id="g"/><g class="a"><use xlink:href="#g"/></g>
      <path style="fill:url('#g')" d="M0 0"/><image href="data:image/png;base64,AAAA"/>"""
    assert "head" in read_layers(folder_of(tmp_path, head__svg=svg(inside)))


@pytest.mark.parametrize(
    ("inside", "named"),
    [
        ("<script>alert(1)</script>", "script"),
        ("<x:script xmlns:x='http://www.w3.org/2000/svg'>1</x:script>", "script"),
        ("<g onload='alert(1)'/>", "onload"),
        ("<g ONCLICK='alert(1)'/>", "onclick"),
        ("<foreignObject><b/></foreignObject>", "foreignobject"),
        ("<a xlink:href='#x'/>", "<a>"),
        ("<image href='https://spy.example/pixel.png'/>", "spy.example"),
        ("<image xlink:href='//spy.example/pixel.png'/>", "spy.example"),
        ("<image href='file:///etc/passwd'/>", "passwd"),
        ("<use xlink:href='other.svg#x'/>", "other.svg"),
        ("<use href='data:image/svg+xml;base64,AAAA#x'/>", "data:image/svg"),
        ("<image href='java&#115;cript:alert(1)'/>", "javascript"),
        ("<g xml:base='https://spy.example/'/>", "base"),
        ("<g style='fill:url(https://spy.example/x)'/>", "spy.example"),
        ("<g fill='url( \"http://spy.example/x\")'/>", "spy.example"),
        ("<g style='fill:u\\72l(http://spy.example)'/>", "spy.example"),
        ("<style>@import 'https://spy.example/x.css';</style>", "@import"),
        ("<style>@im/**/port 'https://spy.example/x.css';</style>", "@import"),
        ("<style><![CDATA[* { background: url(https://spy.example) }]]></style>", "spy.example"),
        ("<animate attributeName='href' to='https://spy.example'/>", "animate"),
        ("<set attributeName='onclick' to='alert(1)'/>", "set"),
        ("<iframe src='https://spy.example'/>", "iframe"),
    ],
)
def test_hostile_svg_is_refused_by_name(tmp_path: Path, inside: str, named: str) -> None:
    told = problems(folder_of(tmp_path, head__svg=svg(inside)))
    assert told.startswith("head.svg: ")
    assert named in told.replace("/**/", "")


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE svg [<!ENTITY a "b">]><svg/>'.encode("utf-16"),
        b'<?xml-stylesheet href="https://spy.example/x.css"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        b'<html xmlns="http://www.w3.org/1999/xhtml"/>',
        b"<svg><g></svg>",
        b"",
        png((0, 0, 0)),
    ],
)
def test_what_is_no_plain_svg_is_refused(tmp_path: Path, content: bytes) -> None:
    assert problems(folder_of(tmp_path, head__svg=content)).startswith("head.svg: ")


def test_every_mistake_is_told_at_once_with_its_repair(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        moth_a__png=png((0, 0, 0)),
        banner__svg=svg(),
        head__png=svg(),
        front__png=png((0, 0, 0), 5000, 1),
        mouth_o__png=b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(FILE_MOST),
        eyes_open__png=png((0, 0, 0)),
        photo__jpg=b"",
        body__png=png((0, 0, 0)),
    )
    (folder / "mouth_closed.svg").unlink()
    told = problems(folder).splitlines()
    assert len(told) == 9
    shown = "\n".join(told)
    for part in (
        "mouth_a?",
        "banner.svg",
        "head.png",
        "5000",
        "mouth_o.png",
        "photo.jpg",
        "mouth_closed",
        "eyes_closed",
    ):
        assert part in shown
    assert text("layers.twice", name="body") in shown


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "nowhere" in problems(tmp_path / "nowhere")


def test_every_name_is_a_part_alone_or_with_a_mood() -> None:
    assert "mouth_closed_happy" in NAMES
    assert "eyes_closed" in NAMES
    assert "head_neutral" not in NAMES


# ---------------------------------------------------------------------- in the living program


@pages
async def test_she_is_drawn_with_layers_and_each_by_itself_is_only_a_picture(
    go_live: GoLive, browser: Browser, tmp_path: Path
) -> None:
    folder = folder_of(
        tmp_path,
        mouth_open__svg=svg("<rect width='100' height='50' fill='#f00'/>"),
        mouth_closed_happy__png=png((0, 255, 0)),
        eyes_open__png=png((0, 0, 255), top=0, bottom=4),
        eyes_closed__png=png((0, 0, 0), top=0, bottom=4),
    )
    house = await go_live(avatar={"page": {"folder": str(folder)}}, stage={"sound": "auto"})
    assert house.aneeka.board.parts["layers"].state == "ok"
    async with house.client.get(house.url + "/static/layers/body") as answer:
        assert answer.content_type == "image/svg+xml"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert await answer.read() == svg()
    for name in ("head", "..%2fconfig.toml", "body.svg"):
        assert (await house.ask("GET", f"/static/layers/{name}"))[0] == 404
    trouble: list[str] = []
    page = await browser.new_page(viewport={"width": 640, "height": 360})
    page.on("requestfailed", lambda request: trouble.append(request.url))
    page.on("console", lambda message: trouble.append(message.text) if "layers" in message.text else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    address = house.aneeka.server.address("/stage", watch=True) + "&mirror=1&scale=0.5&x=30&y=-20"
    await page.goto(address)
    await becomes(page, "window.aneeka && window.aneeka.drawn && window.aneeka.connected")
    shown = "Array.from(document.querySelectorAll('.aneeka-layers img:not([hidden])'), (i) => i.src.split('/').pop())"
    await becomes(page, f"({shown}).join() === 'body,eyes_open,mouth_closed'")
    placed = await page.evaluate("document.querySelector('.aneeka-avatar').style.transform")
    assert placed == "translate(30px, -20px) scale(-0.5, 0.5)"
    house.aneeka.desk.say("Papá, mamá, a la playa.")
    await becomes(page, f"({shown}).includes('mouth_open')")
    await becomes(page, "!window.aneeka.speaking && window.aneeka.caption.length > 5")
    house.aneeka.performer.feels("happy", house.aneeka.now())
    await becomes(page, f"({shown}).includes('mouth_closed_happy')")
    assert trouble == []


@pages
async def test_bad_layers_leave_the_drawn_aneeka_and_a_light(go_live: GoLive, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, head__svg=svg("<script/>"))
    house = await go_live(with_voice=False, avatar={"page": {"folder": str(folder)}})
    light = house.aneeka.board.parts["layers"]
    assert light.state == "degraded"
    assert "head.svg" in light.reason
    assert light.repair
    assert await house.ask("GET", "/static/layers", headers={}) == (200, {"layers": []})
