"""Messages to token ids, such that no content can ever become a control token of the model.

The model's own template is rendered with random placeholders instead of the contents; what the template wrote is
tokenised with special tokens, every content without. Templates come from model files and are code: they run in
llama-cpp-python's sandbox.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import llama_cpp
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from bot.texts import text
from bot.vocabulary import EngineDown

Messages = list[dict[str, str]]
"""Each with ``role`` and ``content``."""

PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ {'system': '', 'user': 'User: ', 'assistant': 'Assistant: '}[message['role']] }}{{ message['content'] }}\n"
    "{% endfor %}Assistant:"
)
"""For base models, which bring no template of their own."""

CONTENTS_KEPT = 512
"""Persona and history come again with every prompt; tokenising 10,000 characters takes 3 ms."""

_PLACEHOLDER = re.compile("(\ue000[0-9a-f]{16}\ue001)")
_PRIVATE_MARKS = re.compile("[\ue000\ue001]")

_log = logging.getLogger(__name__)


class ChatTokens:
    """The template and vocabulary of one loaded model."""

    def __init__(self, llm: llama_cpp.Llama) -> None:
        self._llm = llm
        self._vocab = llama_cpp.llama_model_get_vocab(llm.model)
        self._bos = llm.token_bos() if llama_cpp.llama_vocab_get_add_bos(self._vocab) else -1
        template = llm.metadata.get("tokenizer.chat_template", "")
        self._formatters = [self._formatter(source) for source in (template, PLAIN_TEMPLATE) if source]
        self.markers = frozenset(self._markers(template))
        """Ids that only a template may write."""
        self.content = lru_cache(CONTENTS_KEPT)(self._content)
        """Return the ids of a text from outside. A marker that it spells is taken apart, letter by letter."""

    def prompt(self, messages: Messages) -> list[int]:
        """Return the prompt's ids, ready for the assistant's turn.

        Raises ``EngineDown`` rather than return one in which a content has written a marker.
        """
        messages = [
            {"role": each["role"], "content": _PRIVATE_MARKS.sub("", each["content"]).strip()} for each in messages
        ]
        ids: list[int] = []
        for part, is_content in self._parts(messages):
            if is_content:
                ids += self.content(part)
            elif part:
                ids += self._llm.tokenize(part.encode(), add_bos=False, special=True)
        if self._bos >= 0:
            while ids[:1] == [self._bos]:
                del ids[0]
            ids.insert(0, self._bos)
        return ids

    def _content(self, content: str) -> tuple[int, ...]:
        ids: list[int] = []
        for token in self._plain(content):
            if token in self.markers:
                for letter in self._text(token):
                    ids += self._plain(letter)
            else:
                ids.append(token)
        if not self.markers.isdisjoint(ids):
            raise EngineDown(text("mind.forged_marker"), text("mind.forged_marker_repair"))
        return tuple(ids)

    def ends(self, token: int) -> bool:
        """Whether this token ends a turn, whatever the model's family calls it."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def _plain(self, content: str) -> list[int]:
        ids: list[int] = self._llm.tokenize(content.encode("utf-8", "replace"), add_bos=False, special=False)
        return ids

    def _text(self, token: int) -> str:
        spelled: bytes = llama_cpp.llama_vocab_get_text(self._vocab, token)
        return spelled.decode("utf-8", "replace")

    def _markers(self, template: str) -> Iterator[int]:
        """Find control tokens, and the user-defined ones that the template writes.

        llama.cpp recognises user-defined tokens in any text, and some model files file their role marks under them.
        """
        for token in range(self._llm.n_vocab()):
            kind = llama_cpp.llama_vocab_get_attr(self._vocab, token)
            if kind & llama_cpp.LLAMA_TOKEN_ATTR_CONTROL:
                yield token
            elif kind & llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED:
                spelled = self._text(token)
                if len(spelled.strip()) > 1 and spelled in template:
                    yield token

    def _formatter(self, template: str) -> Jinja2ChatFormatter:
        bos, eos = (self._text(token) if token >= 0 else "" for token in (self._llm.token_bos(), self._llm.token_eos()))
        return Jinja2ChatFormatter(template, eos_token=eos, bos_token=bos)

    def _parts(self, messages: Messages) -> Iterator[tuple[str, bool]]:
        """Yield what the template writes and the contents, in order; the second value marks contents."""
        for formatter in self._formatters:
            for shape in _shapes(messages):
                contents = {f"\ue000{secrets.token_hex(8)}\ue001": each["content"] for each in shape}
                shown = [{"role": each["role"], "content": key} for each, key in zip(shape, contents, strict=True)]
                written = _render(formatter, shown)
                pieces = _PLACEHOLDER.split(written)
                if [piece for piece in pieces if piece in contents] == list(contents):
                    for piece in pieces:
                        yield contents.get(piece, piece), piece in contents
                    return
        raise EngineDown(text("mind.template_unusable"), text("mind.template_unusable_repair"))


def _render(formatter: Callable[..., Any], shown: Messages) -> str:
    """Return the rendered prompt, empty where the template refuses these roles."""
    try:
        return str(formatter(messages=shown, enable_thinking=False).prompt)  # a live reply cannot wait for thoughts
    except Exception as refusal:  # a template may raise anything
        _log.debug("the chat template refuses: %r", refusal)
        return ""


def _shapes(messages: Messages) -> Iterator[Messages]:
    """Yield the conversation as it is, then in shapes for templates that refuse roles out of turn, or a system role."""
    yield messages
    merged = _merged(messages)
    yield merged
    instructions = [each["content"] for each in merged if each["role"] == "system"]
    talk = [each for each in merged if each["role"] != "system"]
    if not talk or talk[0]["role"] != "user":
        talk.insert(0, {"role": "user", "content": "…"})
    yield _merged([{"role": "user", "content": each} for each in instructions] + talk)


def _merged(messages: Messages) -> Messages:
    merged: Messages = []
    for each in messages:
        if merged and merged[-1]["role"] == each["role"]:
            merged[-1] = {"role": each["role"], "content": f"{merged[-1]['content']}\n\n{each['content']}"}
        else:
            merged.append(each)
    return merged
