"""Files that somebody else holds, as on Windows: nothing can take their place."""

from __future__ import annotations

from pathlib import Path

import pytest


class Held:
    """Refuses to replace files by name; ``tries`` counts, and a number of tries may let go."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, float] = {}
        self.tries = 0
        self._replace = Path.replace
        patch.setattr(Path, "replace", lambda fresh, file: self._take_place(fresh, file))

    def hold(self, name: str, tries: float = float("inf")) -> None:
        """Hold a file until it was tried so often."""
        self.names[name] = tries

    def let_go(self) -> None:
        self.names.clear()

    def _take_place(self, fresh: Path, file: Path) -> Path:
        self.tries += 1
        if self.names.get(file.name, 0) > 0:
            self.names[file.name] -= 1
            raise PermissionError(13, "held by another program", str(file))
        return self._replace(fresh, file)
