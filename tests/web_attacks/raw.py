"""Attacks that no browser can send: each is bytes, and the statuses that refuse them (0: hung up without a word)."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable
from typing import NamedTuple

from tests.web_attacks.wire import Door, frame

PANIC = "POST /api/control/panic"
SAY = "POST /api/say"
WORDS = b'{"text": "hacked"}'
FORM = "Content-Type: multipart/form-data; boundary=x"
NEVER = frozenset({400, 401, 403, 404, 405, 413, 415, 417, 421, 426, 501, 0})


class Raw(NamedTuple):
    """``refused_by`` are the statuses that are well."""

    name: str
    send: Callable[[Door], bytes]
    refused_by: frozenset[int] = NEVER


def raw(name: str, send: Callable[[Door], bytes], *refused_by: int) -> Raw:
    return Raw(name, send, frozenset(refused_by) if refused_by else NEVER)


def host(name: str, value: str) -> Raw:
    """Return an attack by a Host header, with the right key: what DNS rebinding or a proxy would bring."""
    return raw(f"host: {name}", lambda d: d.ask(PANIC, host=value.format(port=d.port), key=d.full), 400, 403)


def origin(name: str, *headers: str) -> Raw:
    """Return an attack with the operator's cookie by a page from elsewhere."""
    return raw(
        f"origin: {name}",
        lambda d: d.ask(PANIC, *(h.format(port=d.port) for h in headers), f"Cookie: {d.cookie}"),
        400,
        403,
    )


def place(name: str, target: str) -> Raw:
    """Return an attack by a path that leads out of a folder or around the door, without any key."""
    return raw(f"path: {name}", lambda d: d.ask(f"GET {target}"), 400, 401, 403, 404)


def keyless(name: str, line: str, *headers: str, body: bytes = b"") -> Raw:
    return raw(
        f"key: {name}",
        lambda d: d.ask(line.format(**vars(d)), *(h.format(**vars(d)) for h in headers), body=body),
        401,
        403,
        404,
        405,
    )


def after(name: str, *frames: bytes, path: str = "/api/live") -> Raw:
    """Return an attack by frames behind a proper handshake with the key: it is hung up on."""
    return raw(f"websocket: {name}", lambda d: d.knock(path, key=d.full) + b"".join(frames), 101)


def basic(door: Door) -> str:
    return "Authorization: Basic " + base64.b64encode(f"aneeka:{door.full}".encode()).decode()


def smuggle(door: Door) -> bytes:
    """Return the request that is hidden in another one's body; it has the key, so it would work."""
    return door.ask("POST /api/control/mute", key=door.full)


def part(name: str, data: bytes, *headers: str) -> bytes:
    head = [f'Content-Disposition: form-data; name="{name}"', *headers]
    return b"--x\r\n" + "\r\n".join(head).encode() + b"\r\n\r\n" + data + b"\r\n"


BYE = frame(b"\x03\xe8", 8)
BOMB = zlib.compressobj(9, wbits=-15)
SQUEEZED = BOMB.compress(b"0" * 10**6) + BOMB.flush(zlib.Z_SYNC_FLUSH)

ATTACKS = (
    host("another site's name", "evil.test"),
    host("another site's name with our port", "evil.test:{port}"),
    host("our address as the head of a name", "127.0.0.1.evil.test:{port}"),
    host("our address as a user", "127.0.0.1:{port}@evil.test"),
    host("a user at our address", "evil@127.0.0.1:{port}"),
    host("a wildcard DNS name of our address", "127.0.0.1.nip.io:{port}"),
    host("another port", "127.0.0.1:1"),
    host("no port", "127.0.0.1"),
    host("nothing", ""),
    host("our address as one number", "2130706433:{port}"),
    host("our address in octal", "0177.0.0.1:{port}"),
    host("our address in hex", "0x7f.1:{port}"),
    host("our address in short", "127.1:{port}"),
    host("all addresses", "0.0.0.0:{port}"),
    host("IPv4 in IPv6", "[::ffff:127.0.0.1]:{port}"),
    host("a name with a dot at its end", "localhost.:{port}"),
    host("two in one", "127.0.0.1:{port}, evil.test"),
    host("a path behind it", "127.0.0.1:{port}/evil"),
    raw("host: none at all", lambda d: d.ask(PANIC, host=None, key=d.full), 400, 403),
    raw("host: ours, then another", lambda d: d.ask(PANIC, "Host: evil.test", key=d.full), 400, 403),
    raw("host: another, then ours", lambda d: d.ask(PANIC, f"Host: {d.host}", host="evil.test", key=d.full), 400, 403),
    raw(
        "host: forwarded for ours",
        lambda d: d.ask(PANIC, f"X-Forwarded-Host: {d.host}", host="evil.test", key=d.full),
        403,
    ),
    raw(
        "host: another in the request line", lambda d: d.ask("POST http://evil.test/api/control/panic", key=d.full), 403
    ),
    raw(
        "host: ours in the request line, another in the header",
        lambda d: d.ask(f"POST http://{d.host}/api/control/panic", host="evil.test", key=d.full),
        403,
    ),
    origin("another site", "Origin: http://evil.test"),
    origin("hidden", "Origin: null"),
    origin("a file", "Origin: file://"),
    origin("our address over TLS", "Origin: https://127.0.0.1:{port}"),
    origin("our address on another port", "Origin: http://127.0.0.1:1"),
    origin("our address as a user", "Origin: http://127.0.0.1:{port}@evil.test"),
    origin("our address as the head of a name", "Origin: http://127.0.0.1:{port}.evil.test"),
    origin("a browser's extension", "Origin: chrome-extension://abcdefghijklmnop"),
    origin("ours, then another", "Origin: http://127.0.0.1:{port}", "Origin: http://evil.test"),
    origin("ours and another in one", "Origin: http://127.0.0.1:{port}, http://evil.test"),
    origin("empty", "Origin: "),
    origin("none, but fetched across sites", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"),
    origin("none, but fetched by another port", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors"),
    origin(
        "none, but a form from elsewhere",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
    ),
    raw(
        "origin: another with a stream deck's key", lambda d: d.ask(PANIC, "Origin: http://evil.test", key=d.deck), 403
    ),
    raw("origin: hidden with the full key", lambda d: d.ask(PANIC, "Origin: null", key=d.full), 403),
    raw(
        "origin: a preflight",
        lambda d: d.ask(
            f"OPTIONS {PANIC[5:]}",
            "Origin: null",
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: authorization",
        ),
        403,
    ),
    keyless("none", PANIC),
    keyless("a wrong one", PANIC, "Authorization: Bearer wrong"),
    keyless("an empty one", PANIC, "Authorization: Bearer "),
    keyless("an empty cookie", PANIC, "Cookie: aneeka_{port}="),
    keyless("with something behind it", PANIC, "Authorization: Bearer {full}x"),
    raw("key: all but its last letter", lambda d: d.ask(PANIC, key=d.full[:-1]), 401),
    raw("key: in other case", lambda d: d.ask(PANIC, key=d.full.swapcase()), 401),
    raw("key: as a password", lambda d: d.ask(PANIC, basic(d)), 401),
    raw(
        "key: twice, wrong and right",
        lambda d: d.ask(PANIC, "Authorization: Bearer x", f"Authorization: Bearer {d.full}"),
        400,
        401,
    ),
    keyless("in the address of a change", PANIC + "?token={full}"),
    keyless("in the address of a withdrawal", "DELETE /api/chat/1?token={full}"),
    keyless("in the address of what is read", "GET /api/state?token={full}"),
    raw("key: in the body", lambda d: d.ask(PANIC, body=f'{{"token": "{d.full}"}}'.encode()), 401),
    keyless("in another header", PANIC, "X-Token: {full}", "X-Api-Key: {full}"),
    keyless("in another port's cookie", PANIC, "Cookie: aneeka_1={full}"),
    keyless("of the OBS pages for a control", PANIC, "Authorization: Bearer {watch}"),
    keyless("of the OBS pages for her words", SAY, "Authorization: Bearer {watch}", body=WORDS),
    keyless("of the OBS pages for reading", "GET /api/turns", "Authorization: Bearer {watch}"),
    keyless("of the OBS pages as a cookie", PANIC, "Cookie: aneeka_{port}={watch}"),
    keyless("of the OBS pages for the studio", "GET /?token={watch}"),
    keyless("of a stream deck for her words", SAY, "Authorization: Bearer {deck}", body=WORDS),
    keyless(
        "of a stream deck for the operator's words", "POST /api/operator", "Authorization: Bearer {deck}", body=WORDS
    ),
    keyless("of a stream deck for reading", "GET /api/state", "Authorization: Bearer {deck}"),
    keyless(
        "of a stream deck for a voice", "POST /api/voices/use", "Authorization: Bearer {deck}", body=b'{"voice": ""}'
    ),
    keyless("of a stream deck to withdraw", "DELETE /api/chat/1", "Authorization: Bearer {deck}"),
    keyless("of a stream deck by GET", "GET /api/control/panic", "Authorization: Bearer {deck}"),
    keyless("of a stream deck as a cookie", PANIC, "Cookie: aneeka_{port}={deck}"),
    keyless("of a stream deck in an address", PANIC + "?token={deck}"),
    keyless("of a stream deck for the OBS page", "GET /stage?token={deck}"),
    keyless("of a stream deck by a way round", "POST /api/control/../say", "Authorization: Bearer {deck}", body=WORDS),
    keyless(
        "of a stream deck by a coded way round",
        "POST /api/control/%2e%2e/say",
        "Authorization: Bearer {deck}",
        body=WORDS,
    ),
    raw(
        "method: GET that says POST",
        lambda d: d.ask("GET /api/control/panic", "X-HTTP-Method-Override: POST", key=d.full),
        405,
    ),
    raw("method: GET with _method", lambda d: d.ask("GET /api/control/panic?_method=POST", key=d.full), 405),
    raw("method: HEAD", lambda d: d.ask("HEAD /api/control/panic", key=d.full), 405),
    raw("method: PUT", lambda d: d.ask("PUT /api/control/panic", key=d.full), 405),
    raw("method: TRACE", lambda d: d.ask("TRACE /api/state", key=d.full), 405),
    raw("method: CONNECT", lambda d: d.ask("CONNECT evil.test:443", key=d.full), 400, 403, 404, 405),
    raw("method: unknown", lambda d: d.ask("PANIC /api/control/panic", key=d.full), 400, 404, 405),
    place("dots", "/static/page/../../bot/app.py"),
    place("coded dots", "/static/page/%2e%2e/%2e%2e/bot/app.py"),
    place("coded dots and slashes", "/static/page/%2e%2e%2f%2e%2e%2fbot%2fapp.py"),
    place("twice coded dots", "/static/page/%252e%252e/%252e%252e/bot/app.py"),
    place("backslashes", "/static/page/..\\..\\bot\\app.py"),
    place("coded backslashes", "/static/page/..%5c..%5cbot%5capp.py"),
    place("overlong UTF-8", "/static/page/%c0%ae%c0%ae/%c0%ae%c0%ae/bot/app.py"),
    place("doubled dots", "/static/page/....//....//bot/app.py"),
    place("an absolute path", "/static/page//etc/passwd"),
    place("a Windows drive", "/static/page/C:/Windows/win.ini"),
    place("a NUL", "/static/studio/index.html%00.js"),
    place("the tokens by a layer", "/static/layers/..%2f..%2fstudio_tokens.json"),
    place("a name too long for any file", "/static/studio/" + "x" * 5_000),
    place("a folder's list", "/static/studio/"),
    place("two slashes", "//api/state"),
    place("a slash in the middle", "/api//state"),
    place("a slash at the end", "/api/state/"),
    place("capitals", "/API/state"),
    place("coded letters", "/%61pi/state"),
    place("out of an open folder", "/static/../api/state"),
    place("out of an open folder, coded", "/static/..%2fapi/state"),
    place("out of health", "/health/../api/state"),
    place("a parameter", "/api/state;/static/"),
    place("a fragment", "/api/state#/static/"),
    place("a line's end in it", "/api/control/x%0d%0aSet-Cookie:%20aneeka=1"),
    raw(
        "smuggling: length and chunks",
        lambda d: d.ask(SAY, "Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + smuggle(d)),
        400,
    ),
    raw(
        "smuggling: two lengths", lambda d: d.ask(SAY, "Content-Length: 0", "Content-Length: 99", body=smuggle(d)), 400
    ),
    raw("smuggling: a length with a sign", lambda d: d.ask(SAY, "Content-Length: +5", body=smuggle(d)), 400),
    raw("smuggling: a negative length", lambda d: d.ask(SAY, "Content-Length: -1", body=smuggle(d)), 400),
    raw(
        "smuggling: a blank before the colon",
        lambda d: d.ask(SAY, "Transfer-Encoding : chunked", body=b"0\r\n\r\n" + smuggle(d)),
        400,
    ),
    raw(
        "smuggling: another coding", lambda d: d.ask(SAY, "Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + smuggle(d))
    ),
    raw(
        "smuggling: a folded header",
        lambda d: d.ask(SAY, "X: a\r\n Transfer-Encoding: chunked", body=b"0\r\n\r\n" + smuggle(d)),
        400,
        401,
    ),
    raw(
        "smuggling: chunks without end",
        lambda d: d.ask(SAY, "Transfer-Encoding: chunked", key=d.full, body=b"fffffffffffffffff\r\nx"),
        400,
    ),
    raw("smuggling: bare line feeds", lambda d: d.ask(PANIC, key=d.full).replace(b"\r\n", b"\n"), 400),
    raw("smuggling: a NUL in a header", lambda d: d.ask(PANIC, "X: a\x00b", key=d.full), 400),
    raw("size: a header of 64 KB", lambda d: d.ask(PANIC, "X: " + "x" * 65_536, key=d.full), 400),
    raw("size: an address of 64 KB", lambda d: d.ask(PANIC + "?" + "x" * 65_536, key=d.full), 400),
    raw("size: 10,000 headers", lambda d: d.ask(PANIC, *(f"X-{n}: {n}" for n in range(10_000)), key=d.full), 400),
    raw("size: a body of 1 MB", lambda d: d.ask(SAY, key=d.full, body=b'{"text": "' + b"x" * 2**20 + b'"}'), 413),
    raw(
        "size: chunks of 1 MB in all",
        lambda d: d.ask(
            SAY, "Transfer-Encoding: chunked", key=d.full, body=b"400\r\n" + (b"x" * 1024 + b"\r\n400\r\n") * 1024
        ),
        413,
        0,
    ),
    raw(
        "size: a gzip bomb",
        lambda d: d.ask(SAY, "Content-Encoding: gzip", key=d.full, body=gzip.compress(b" " * 10**7)),
        400,
        413,
    ),
    raw("size: deep JSON", lambda d: d.ask(SAY, key=d.full, body=b"[" * 60_000), 400),
    raw("size: deep JSON in a field", lambda d: d.ask(SAY, key=d.full, body=b'{"text":' * 8_000), 400),
    raw(
        "size: a number of 60,000 digits",
        lambda d: d.ask(SAY, key=d.full, body=b'{"text": ' + b"9" * 60_000 + b"}"),
        400,
    ),
    raw("size: a limit of 60 digits", lambda d: d.ask("GET /api/turns?limit=" + "9" * 60, key=d.full), 400),
    raw(
        "size: half a letter",
        lambda d: d.ask("POST /api/chat", key=d.full, body=b'{"user": "a", "text": "b", "user_id": "\\ud800"}'),
        400,
    ),
    raw(
        "form: no boundary",
        lambda d: d.ask("POST /api/voice-chat", "Content-Type: multipart/form-data", key=d.full, body=b"x"),
        400,
    ),
    raw(
        "form: 5,000 parts",
        lambda d: d.ask("POST /api/voice-chat", FORM, key=d.full, body=part("x", b"") * 5_000 + b"--x--\r\n"),
        400,
        413,
    ),
    raw(
        "form: messages of 600 KB",
        lambda d: d.ask("POST /api/voice-chat", FORM, key=d.full, body=part("messages", b"[" * 600_000) + b"--x--\r\n"),
        413,
        0,
    ),
    raw(
        "form: a form in a form",
        lambda d: d.ask(
            "POST /api/voice-chat",
            FORM,
            key=d.full,
            body=part("audio", b"--y--", "Content-Type: multipart/mixed; boundary=y") + b"--x--\r\n",
        ),
        400,
    ),
    raw(
        "form: a gzip bomb as sound",
        lambda d: d.ask(
            "POST /api/voice-chat",
            FORM,
            key=d.full,
            body=part("audio", gzip.compress(b"0" * 10**7), "Content-Encoding: gzip") + b"--x--\r\n",
        ),
        400,
        409,
        413,
        415,
        422,
    ),
    raw(
        "form: a header without end",
        lambda d: d.ask("POST /api/voice-chat", FORM, key=d.full, body=b"--x\r\nX: " + b"x" * 50_000),
        400,
        413,
    ),
    raw("other tongue: HTTP/2", lambda d: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 403, 0),
    raw("other tongue: HTTP/0.9", lambda d: b"GET /api/state\r\n\r\n", 400, 403, 0),
    raw("other tongue: TLS", lambda d: bytes.fromhex("160301002e0100002a0303") + b"\r\n\r\n", 400, 0),
    raw(
        "other tongue: an upgrade to HTTP/2",
        lambda d: d.ask(PANIC, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        401,
    ),
    raw("websocket: without a key", lambda d: d.knock("/api/live"), 401),
    raw("websocket: with the OBS key on what is the operator's", lambda d: d.knock("/api/live", key=d.watch), 401),
    raw("websocket: with a stream deck's key", lambda d: d.knock("/api/stage", key=d.deck), 401),
    raw("websocket: a sound as OBS", lambda d: d.knock("/api/microphone", key=d.watch), 401),
    raw(
        "websocket: by another site, with the cookie",
        lambda d: d.knock("/api/live", "Origin: http://evil.test", f"Cookie: {d.cookie}"),
        403,
    ),
    raw(
        "websocket: by nobody's page, with the cookie",
        lambda d: d.knock("/api/stage", "Origin: null", f"Cookie: {d.cookie}"),
        403,
    ),
    raw(
        "websocket: by another port, with the cookie",
        lambda d: d.knock("/api/microphone", "Origin: http://127.0.0.1:1", f"Cookie: {d.cookie}"),
        403,
    ),
    raw("websocket: another host", lambda d: d.knock("/api/live", host=f"evil.test:{d.port}", key=d.full), 403),
    raw("websocket: an old version", lambda d: d.knock("/api/live", version=5, key=d.full), 400, 426),
    raw("websocket: on a verb", lambda d: d.knock("/api/control/panic", key=d.full), 405),
    after("no mask", frame(b'{"type": "panic"}', mask=False), BYE),
    after("an unknown kind of frame", frame(b"hi", 3)),
    after("an unknown control frame", frame(b"", 0xB)),
    after("a reserved bit", frame(b"hi", rsv=2)),
    after("compression that was not agreed on", frame(SQUEEZED, rsv=4)),
    after("a control frame in pieces", frame(b"", 9, fin=False)),
    after("a long control frame", frame(b"x" * 126, 9)),
    after("a frame that is too long", frame(b"x" * 5000)),
    after("a frame that claims 2^63 bytes", frame(b"x", says=2**63)),
    after("a frame that claims 1 GB", frame(b"x", says=2**30)),
    after("an end without a beginning", frame(b"x", 0)),
    after("a beginning within another", frame(b"x", fin=False), frame(b"x")),
    after("pieces without end", frame(b"x" * 100, fin=False), *[frame(b"x" * 100, 0, fin=False)] * 100),
    after("no UTF-8", frame(b"\xff\xfe\xfd")),
    after("half a goodbye", frame(b"\x03", 8)),
    after("a goodbye with a wrong code", frame(b"\x00\x01", 8)),
    after("no mask, on the OBS line", frame(b'{"type": "take_sound"}', mask=False), BYE, path="/api/stage"),
    after("a frame that is too long, on the OBS line", frame(b"x" * 5000), path="/api/stage"),
)
