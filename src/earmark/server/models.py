"""The models a server can mark with: earmark's own, the user's, and those made of corrections."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from itertools import chain, count
from pathlib import Path
from typing import Any

from earmark.modelfile import embedded_models, user_models, user_path
from earmark.server.problems import Refusal
from earmark.server.tasks import Describe, Outcome, Task

# A model's name is that of a folder and of a timeline, too.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,47}")
# What is made of corrections and not given a name.
_CORRECTED = "corrected"


class Models:
    """What models there are, and what they are.

    Parameters
    ----------
    store : Path
        The server's; models made of corrections lie in ``models`` there.
    default : str
        The one that marks unless another is named.
    run : callable
        Has a task done by a worker.
    """

    def __init__(self, store: Path, default: str, run: Callable[[Task], Outcome]) -> None:
        self.folder = store / "models"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.default = Path(default).stem if default.endswith(".onnx") else default
        self._given = {self.default: str(Path(default).absolute()) if default.endswith(".onnx") else default}
        self._run = run
        self._lock = threading.Lock()
        self._seen: Any = None
        self._described: list[dict[str, Any]] = []

    def path(self, name: str) -> Path:
        """Return where a model made of corrections lies, or is to lie."""
        return self.folder / f"{name}.onnx"

    def opened_by(self, name: str) -> str:
        """Return what a model is opened by; raises `Refusal` if there is none."""
        for known, opened_by, _ in self._found():
            if known == name:
                return opened_by
        raise Refusal(404, f"there is no model '{name}'; there are {', '.join(self.names)}")

    @property
    def names(self) -> list[str]:
        """Of the models that mark."""
        return [each["name"] for each in self.described()]

    def described(self) -> list[dict[str, Any]]:
        """Return name, labels, kind of decoding, and whether it is the default, of each model that marks."""
        with self._lock:
            found = self._found()
            if found != self._seen:
                outcome = self._run(Describe(tuple((name, opened_by) for name, opened_by, _ in found)))
                self._described = [
                    {**each, "default": each["name"] == self.default} for each in outcome.value or []
                ]
                self._seen = found if outcome.error is None else None
            return self._described

    def check(self, name: str | None) -> str:
        """Return a name, or the default's; raises `Refusal` if no model that marks has it."""
        if name is None:
            return self.default
        if name not in self.names:
            raise Refusal(422, f"no model '{name}' marks recordings; there are {', '.join(self.names)}")
        return name

    def new_name(self, wanted: str | None) -> str:
        """Return how a model to be made is called: as wanted, or ``corrected``, ``corrected-2``...

        Raises `Refusal` if there is a model of the name that is wanted.
        """
        known = {name for name, *_ in self._found()}
        if wanted is None:
            numbered = (f"{_CORRECTED}-{number}" for number in count(2))
            return next(name for name in chain([_CORRECTED], numbered) if name not in known)
        if wanted in known:
            raise Refusal(409, f"there is a model '{wanted}'; choose another name")
        return wanted

    def _found(self) -> list[tuple[str, str, float]]:
        """Return each model's name, what it is opened by, and when it was changed."""
        found: dict[str, tuple[str, float]] = {
            name: (opened_by, _changed(Path(opened_by))) for name, opened_by in self._given.items()
        }
        for name in embedded_models():
            found.setdefault(name, (name, 0.0))
        for name in user_models():
            found.setdefault(name, (str(user_path(name)), _changed(user_path(name))))
        for path in sorted(self.folder.glob("*.onnx")):
            found.setdefault(path.stem, (str(path), _changed(path)))
        return [(name, *facts) for name, facts in found.items() if NAME.fullmatch(name)]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
