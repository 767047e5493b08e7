"""What all models of patches share: the network of an ONNX file, checked against its card."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from earmark.errors import ModelError
from earmark.features.extractor import Extractor
from earmark.modelfile import ModelFile, one_line
from earmark.patchcard import PatchCard

FloatArray = npt.NDArray[np.float32]


class PatchNet:
    """A network that takes patches of features and returns probabilities.

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
    extractor : Extractor
        Its front end.

    Raises
    ------
    ModelError
        If the card cannot be read, or the graph has other inputs or outputs.
    """

    def __init__(self, file: ModelFile) -> None:
        self.card = PatchCard.from_json(file.card, file.origin)
        self.origin = file.origin
        self.extractor: Extractor = self.card.extractor()
        self._session = file.session
        inputs = [node.name for node in file.session.get_inputs()]
        outputs = [node.name for node in file.session.get_outputs()]
        if inputs != ["patches"] or "posteriors" not in outputs:
            raise ModelError(
                f"'{self.origin}' has inputs {', '.join(inputs) or 'none'} and outputs {', '.join(outputs)}; "
                "it must take 'patches' and return 'posteriors'"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """What segments are marked with."""
        return self.card.labels

    @property
    def sample_rate(self) -> int:
        """Rate of the signal it hears, Hz."""
        return self.extractor.sample_rate

    def _run(self, patches: FloatArray, shape: tuple[int, ...]) -> FloatArray:
        """Run the network on patches, (B, F, L); `shape` is what it must return.

        Raises
        ------
        ModelError
            If the network fails, or returns something else.
        """
        try:
            (found,) = self._session.run(["posteriors"], {"patches": patches})
        except Exception as err:  # onnxruntime's errors share no other base
            raise ModelError(
                f"model '{self.origin}' does not run on its card's input ({one_line(err)})"
            ) from err
        if found.shape != shape:
            raise ModelError(
                f"model '{self.origin}' returned shape {found.shape}; by its card it must return {shape}"
            )
        if not (found.min() >= 0 and found.max() <= 1):
            raise ModelError(
                f"model '{self.origin}' returned values that are no probabilities "
                f"({found.min():.4g} to {found.max():.4g}); it must end in a softmax or a sigmoid"
            )
        return found
