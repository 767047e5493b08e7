"""Running a network that classifies patches: a whole recording in, segments out.

Features are made and classified piece by piece while the recording is read; what is kept of it are the
energies and the probabilities, 4 MB an hour.  Nothing is decided before its end, for the threshold of
energy is relative to the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from earmark.errors import ModelError
from earmark.features.patches import Patches
from earmark.features.sidekit import N_FILTERS, SidekitMel
from earmark.gate import decode_gated
from earmark.modelfile import ModelFile, one_line
from earmark.patchcard import PatchCard
from earmark.posteriors import Posteriors
from earmark.samples import Signal
from earmark.timeline import Segment

FloatArray = npt.NDArray[np.float32]

# Patches classified in one run.
_BATCH = 64
# A patch without values to go by says this of every class, as the program has it.
_UNTOLD = 0.5


class PatchModel:
    """A network for patches, with its card; make one with `load_model`.

    Parameters
    ----------
    file : ModelFile
        A model whose card is a `PatchCard`.

    Attributes
    ----------
    card : PatchCard
        What the model is and needs.
    origin : str
        The name or path it was loaded by.

    Raises
    ------
    ModelError
        If the network does not fit its card, or the card asks for features without energies.
    """

    def __init__(self, file: ModelFile) -> None:
        self.card = PatchCard.from_json(file.card, file.origin)
        self.origin = file.origin
        self._session = file.session
        extractor = self.card.extractor()
        if not isinstance(extractor, SidekitMel):
            raise ModelError(
                f"the card in '{self.origin}' asks for features '{extractor.name}', which tell no energy; "
                "models of this kind need 'ina'"
            )
        self.extractor = extractor
        self._check_graph()
        self.run(np.zeros((2, extractor.n_bands, extractor.patch_length), np.float32))

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes, one of which holds at a time."""
        return self.card.labels

    @property
    def sample_rate(self) -> int:
        """Rate of the signal it hears, Hz."""
        return self.extractor.sample_rate

    @property
    def hop_s(self) -> float:
        """Length of a cell, seconds."""
        return self.extractor.step * self.extractor.hop_length / self.sample_rate

    def run(self, patches: FloatArray) -> FloatArray:
        """Classify patches, float32, shape=(B, n_bands, patch_length), B at least 1.

        Returns
        -------
        float32, shape=(B, n_labels)
            Probabilities.

        Raises
        ------
        ModelError
            If the network fails, or returns something else than its card says.
        """
        try:
            (found,) = self._session.run(["posteriors"], {"patches": patches})
        except Exception as err:  # onnxruntime's errors share no other base
            raise ModelError(
                f"model '{self.origin}' does not run on its card's input ({one_line(err)})"
            ) from err
        shape = (len(patches), len(self.labels))
        if found.shape != shape:
            raise ModelError(
                f"model '{self.origin}' returned shape {found.shape}; by its card it must return {shape}"
            )
        if not (found.min() >= 0 and found.max() <= 1):
            raise ModelError(
                f"model '{self.origin}' returned values that are no probabilities "
                f"({found.min():.4g} to {found.max():.4g}); it must end in a softmax"
            )
        return found

    def segments(
        self,
        blocks: Iterable[npt.ArrayLike],
        sample_rate: float,
        *,
        progress: Callable[[float, float | None], None] | None = None,
        posterior_sink: Callable[[Posteriors], None] | None = None,
    ) -> list[Segment]:
        """Return the segments of a recording, sorted; they never overlap.

        The answer is the same, bit for bit, however the signal is cut.

        Parameters
        ----------
        blocks : iterable of float32, shape=(n,)
            All of one mono channel, nominal range -1 to 1.
        sample_rate : float
            Hz; resampled to the model's where it differs.
        progress : callable, optional
            Called with the seconds read so far, and None.
        posterior_sink : callable, optional
            Called with the probabilities, part by part, before energy is looked at.

        Raises
        ------
        AudioError
            If the signal is not mono, not floating point, or holds NaN, or the rate is impossible.
        """
        signal, stream = Signal(blocks, sample_rate), _CellStream(self)
        energies, parts = [np.empty(0, np.float32)], []
        for analysis in self.extractor.analyse_stream(signal.at(self.sample_rate)):
            energies.append(analysis.log_energy)
            parts.append(self._posteriors(stream.push(analysis.log_mel)))
            if posterior_sink is not None:
                posterior_sink(parts[-1])
            if progress is not None:
                progress(signal.seconds, None)
        parts.append(self._posteriors(stream.flush()))
        if posterior_sink is not None:
            posterior_sink(parts[-1])
        if progress is not None:
            progress(signal.seconds, None)
        return decode_gated(
            Posteriors.concatenate(parts), np.concatenate(energies), self.extractor.step, self.card.decode
        )

    def _posteriors(self, values: FloatArray) -> Posteriors:
        return Posteriors(values, None, self.labels, self.hop_s)

    def _check_graph(self) -> None:
        """Refuse a graph whose inputs and outputs are not those its card needs."""
        inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = [node.name for node in self._session.get_outputs()]
        if set(inputs) != {"patches"} or "posteriors" not in outputs:
            raise ModelError(
                f"'{self.origin}' has inputs {', '.join(inputs) or 'none'} and outputs {', '.join(outputs)}; "
                "it must take 'patches' and return 'posteriors'"
            )


class _CellStream:
    """Class probabilities of cells, of log-mel frames that arrive in blocks of any size.

    The first whole patch also speaks for the cells before its middle, the last one for those after.
    """

    def __init__(self, model: PatchModel) -> None:
        self._model = model
        self._extractor = model.extractor
        self._mel = np.empty((N_FILTERS, 0), np.float32)
        self._n_frames = 0  # so far
        self._n_cells = 0  # given out
        self._last: FloatArray | None = None  # of the last whole patch, shape=(1, n_labels)

    def push(self, log_mel: FloatArray) -> FloatArray:
        """Take more frames, float32, shape=(24, n); return the cells now known, (n_cells, n_labels)."""
        extractor = self._extractor
        self._mel = np.concatenate([self._mel, log_mel], axis=1)
        self._n_frames += log_mel.shape[1]
        n_patches = (self._mel.shape[1] - extractor.patch_length) // extractor.step + 1
        if n_patches < 1:
            return self._given(np.empty((0, len(self._model.labels)), np.float32))
        starts = np.arange(n_patches) * extractor.step
        bands = self._mel[: extractor.n_bands]
        values = self._classify(Patches(bands, starts, extractor.patch_length, standardise=True))
        if self._last is None:
            values = np.concatenate([np.repeat(values[:1], extractor.lead, axis=0), values])
        self._last = values[-1:]
        self._mel = self._mel[:, n_patches * extractor.step :].copy()
        return self._given(values)

    def flush(self) -> FloatArray:
        """Know that the signal ends; return the remaining cells, (n_cells, n_labels)."""
        if self._last is None:
            return self._given(self._classify(self._extractor.cut(self._mel)))
        n_cells = -(-self._n_frames // self._extractor.step)
        return self._given(np.repeat(self._last, n_cells - self._n_cells, axis=0))

    def _given(self, values: FloatArray) -> FloatArray:
        self._n_cells += len(values)
        return values

    def _classify(self, patches: Patches) -> FloatArray:
        values = np.full((len(patches), len(self._model.labels)), _UNTOLD, np.float32)
        finite = np.flatnonzero(patches.finite)
        for start in range(0, len(finite), _BATCH):
            which = finite[start : start + _BATCH]
            values[which] = self._model.run(patches[which])
        return values
