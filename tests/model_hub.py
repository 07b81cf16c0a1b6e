"""A model hub on this machine, strict about the protocol that huggingface.co documents for its files.

``HEAD`` and ``GET`` on ``/{repo}/resolve/{revision}/{file}`` answer 302 to a signed address of another origin (the
CDN), with ``X-Repo-Commit``, ``X-Linked-Etag`` (the SHA-256) and ``X-Linked-Size``; the CDN serves ranges and takes no
credentials; what is missing or closed has an ``X-Error-Code``.
"""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

RESOLVE = re.compile(r"/([\w.-]+/[\w.-]+)/resolve/([\w.-]+)/([\w./-]+)")
PIECE = 16 * 1024


@dataclass
class Sent:
    """One answer of the CDN: from which byte, and how many were handed to the network."""

    start: int
    sent: int = 0


@dataclass
class Hub:
    """What it offers and how it misbehaves; ``answers`` tells what it sent."""

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    hashes: dict[str, str] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which each of the next answers of the CDN is cut."""
    hold_after: int | None = None
    """Bytes after which the CDN waits for ``go``."""
    go: threading.Event = field(default_factory=threading.Event)
    holding: threading.Event = field(default_factory=threading.Event)
    answers: list[Sent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._hub = _Server(("127.0.0.1", 0), _Resolve, self)
        self._cdn = _Server(("127.0.0.1", 0), _Cdn, self)
        self.url = f"http://127.0.0.1:{self._hub.server_address[1]}"
        self.cdn_url = f"http://127.0.0.1:{self._cdn.server_address[1]}"

    def offer(self, model: Any, content: bytes) -> None:
        """Offer this as a model of the catalogue."""
        self.files[model.repo, model.file] = content

    def close(self) -> None:
        self.go.set()
        for server in (self._hub, self._cdn):
            threading.Thread(target=server.shutdown, daemon=True).start()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: Any, hub: Hub) -> None:
        super().__init__(address, handler)
        self.hub = hub
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left in mid-answer is no fault."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> Hub:
        return self.server.hub  # type: ignore[attr-defined,no-any-return]

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", "0")
        self.end_headers()


class _Resolve(_Handler):
    def do_HEAD(self) -> None:
        if "user-agent" not in self.headers:
            self.hub.problems.append("no user agent")
        asked = RESOLVE.fullmatch(urlsplit(self.path).path)
        if not asked:
            self.hub.problems.append(f"asked for {self.path}")
            return self.answer(404)
        repo, _, file = asked.groups()
        if repo in self.hub.closed:
            code = "GatedRepo"
            return self.answer(401, X_Error_Code=code, X_Error_Message="Access to this model is restricted.")
        if repo not in {repo for repo, _ in self.hub.files}:
            return self.answer(401, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")
        content = self.hub.files.get((repo, file))
        if content is None:
            return self.answer(404, X_Error_Code="EntryNotFound", X_Error_Message="Entry not found")
        digest = self.hub.hashes.get(file) or hashlib.sha256(content).hexdigest()
        self.answer(
            302,
            Location=f"{self.hub.cdn_url}/{repo}/{file}?Signature=x",
            X_Repo_Commit="0123456789abcdef0123456789abcdef01234567",
            X_Linked_Etag=f'"{digest}"',
            X_Linked_Size=str(len(content)),
            ETag='"the-pointer"',
            Accept_Ranges="bytes",
        )
        return None

    do_GET = do_HEAD


class _Cdn(_Handler):
    def do_GET(self) -> None:
        if "authorization" in self.headers or not self.path.endswith("?Signature=x"):
            self.hub.problems.append("credentials at the CDN, or no signature")
            return self.answer(400)
        owner, name, file = urlsplit(self.path).path.lstrip("/").split("/", 2)
        content = self.hub.files[f"{owner}/{name}", file]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        if "range" in self.headers and not asked:
            self.hub.problems.append(f"range {self.headers['range']}")
        start = int(asked[1]) if asked else 0
        if asked and start >= len(content):
            return self.answer(416, Content_Range=f"bytes */{len(content)}")
        length = str(len(content) - start)
        if asked:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206, Content_Length=length, Content_Range=span)
        else:
            self.answer(200, Content_Length=length)
        self._send(content, start)
        return None

    def _send(self, content: bytes, start: int) -> None:
        sent = Sent(start)
        self.hub.answers.append(sent)
        end = min(len(content), start + self.hub.cut_after.pop(0)) if self.hub.cut_after else len(content)
        while start + sent.sent < end:
            at = start + sent.sent
            stop = min(end, at + PIECE)
            if self.hub.hold_after is not None and not self.hub.go.is_set():
                stop = min(stop, self.hub.hold_after)
                if at >= self.hub.hold_after:
                    self.hub.holding.set()
                    self.hub.go.wait(60)
                    continue
            self.wfile.write(content[at:stop])
            sent.sent += stop - at
        if end < len(content):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_WR)
