"""Prompt files: read, compiled in a sandbox and rendered; what is wrong in one becomes a sentence for people."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from types import CodeType

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.texts import text

# Prompts are plain text for a model, never HTML: escaping would only garble what viewers said.
_jinja = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
)


class PromptError(Exception):
    """A prompt file is missing or broken. The message is one sentence: which file and line, and what to do."""


def read(file: Path) -> str:
    """Return a prompt file's text. Raises ``PromptError``."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise PromptError(text("prompts.not_utf8", file=file, line=line)) from None
    except OSError:
        raise PromptError(text("prompts.missing", file=file)) from None


@lru_cache(maxsize=2048)
def _compiled(source: str, file: Path) -> tuple[CodeType, dict[str, int]]:
    """Return a template's code, and the names that it takes from outside with their lines."""
    tree = _jinja.parse(source)
    unknown = find_undeclared_variables(tree) - set(_jinja.globals)
    named = {name.name: name.lineno for name in reversed(list(tree.find_all(nodes.Name))) if name.name in unknown}
    return _jinja.compile(tree, name=file.name, filename=str(file)), named


class PromptTemplate:
    """One template of a file, checked when it is made: syntax, and that it names only what is offered."""

    def __init__(self, source: str, file: Path, offered: Collection[str], first_line: int = 1) -> None:
        """``first_line``: where in the file ``source`` begins. Raises ``PromptError``."""
        self._file = file
        self._first_line = first_line
        try:
            code, named = _compiled(source, file)
        except TemplateSyntaxError as error:
            raise self._broken(error.lineno, error.message or "") from None
        for name, line in named.items():
            if name not in offered:
                names = ", ".join(sorted(offered))
                raise PromptError(
                    text("prompts.unknown_name", file=file, line=self._line(line), name=name, offered=names)
                )
        self._template = Template.from_code(_jinja, code, _jinja.make_globals(None))

    def render(self, values: Mapping[str, object]) -> str:
        """Fill the template in; the values are inserted as they are. Raises ``PromptError``."""
        try:
            return self._template.render(values).strip()
        except Exception as error:  # a template may fail in any way Python can
            steps = traceback.extract_tb(error.__traceback__)
            line = next((step.lineno for step in reversed(steps) if step.filename == str(self._file)), 1)
            raise self._broken(line or 1, str(error)) from None

    def _line(self, line: int) -> int:
        return self._first_line + line - 1

    def _broken(self, line: int, reason: str) -> PromptError:
        return PromptError(text("prompts.broken", file=self._file, line=self._line(line), reason=reason.rstrip(".")))
