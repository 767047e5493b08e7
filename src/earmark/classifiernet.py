"""The network of a classifier: windows in; their scores, the greatest values so far and their scores out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from earmark.classifiercard import ClassifierCard
from earmark.errors import ModelError
from earmark.modelfile import ModelFile, one_line, open_model, refuse_kind
from earmark.windows import Run

FloatArray = npt.NDArray[np.float32]

# What the greatest value of every dimension is before the first window.
LOWEST = np.finfo(np.float32).min
_OUTPUTS = ["scores", "peak_out", "clip"]
# Largest distance of a sum of scores from 1.
_TOLERANCE = 1e-3


class ClassifierNet:
    """A network that tells classes, with its card.

    Parameters
    ----------
    model : str, Path or ModelFile
        Name or path, or an open one.
    threads : int
        Threads the network may use.

    Attributes
    ----------
    card : ClassifierCard
    origin : str
        The name or path it was loaded by.
    extractor : Extractor
        The front end.

    Raises
    ------
    ModelError
        If the file is missing, damaged, no classifier, or does not fit its card.
    """

    def __init__(self, model: str | Path | ModelFile, *, threads: int = 1) -> None:
        file = model if isinstance(model, ModelFile) else open_model(model, threads)
        if not ClassifierCard.describes(file.card):
            refuse_kind(file, "tells no classes")
        self.card = ClassifierCard.from_json(file.card, file.origin)
        self.origin = file.origin
        self.extractor = self.card.extractor()
        self._session = file.session
        wanted = ["patches", "peak", *(("first", "end") if self.card.context else ())]
        inputs = [node.name for node in file.session.get_inputs()]
        outputs = [node.name for node in file.session.get_outputs()]
        if (inputs, outputs) != (wanted, _OUTPUTS):
            raise ModelError(
                f"'{self.origin}' has inputs {', '.join(inputs) or 'none'} and outputs {', '.join(outputs)}; "
                f"it must take {', '.join(wanted)} and return {', '.join(_OUTPUTS)}"
            )
        shape = (1, self.extractor.n_bands, self.extractor.patch_length)
        self._run(Run(np.zeros(shape, np.float32), 1, 0, 1), self._lowest())

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        return self.card.classes

    @property
    def sample_rate(self) -> int:
        """Rate of the signal it hears, Hz."""
        return self.extractor.sample_rate

    @property
    def window_s(self) -> float:
        """Length of a window, seconds."""
        return self.extractor.window_length / self.sample_rate

    @property
    def hop_s(self) -> float:
        """Seconds from one window to the next, and length of a cell of a timeline."""
        return self.extractor.window_hop / self.sample_rate

    def _lowest(self) -> FloatArray:
        return np.full((1, self.card.dimension), LOWEST, np.float32)

    def _run(self, run: Run, peak: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Run the network; return scores of the windows that count, the peak with them, and its scores."""
        given: dict[str, npt.NDArray[np.generic]] = {"patches": run.patches, "peak": peak}
        if self.card.context:
            given.update(first=np.array([run.first]), end=np.array([run.end]))
        try:
            scores, peak, clip = self._session.run(_OUTPUTS, given)
        except Exception as err:  # onnxruntime's errors share no other base
            raise ModelError(
                f"model '{self.origin}' does not run on its card's input ({one_line(err)})"
            ) from err
        n, k, d = run.end - run.first, len(self.labels), self.card.dimension
        shapes = (scores.shape, peak.shape, clip.shape)
        if shapes != ((n, k), (1, d), (1, k)):
            raise ModelError(
                f"model '{self.origin}' returned shapes {shapes}; by its card it must return "
                f"{((n, k), (1, d), (1, k))}"
            )
        # A NaN fails the comparison.
        if not (np.abs(np.vstack([scores, clip]).sum(axis=1) - 1) <= _TOLERANCE).all():
            raise ModelError(
                f"model '{self.origin}' returned scores that do not sum to 1; its weights are damaged"
            )
        return scores, peak, clip
