"""Published networks for speech and music, one module each, and the registry that makes them by name.

All take (B, F, T) float32: a batch, rows of features, frames.  They give logits; see
`create_model`.  Docstrings call the papers that use them by these tags:

KC
    M. Kehling, E. Cano, "Knowledge transfer from neural networks for speech music classification".
BHA
    M. Bhattacharjee, S. R. M. Prasanna, P. Guha, "Clean vs. overlapped speech-music detection using
    harmonic-percussive features and multi-task learning".
ALL
    R. Bhatia, A. Thakur, "All-conv net for frame level music and speech segmentation".
GRO
    S. Grollmisch, E. Cano, C. Kehling, M. Taenzer, "Analyzing the potential of pre-trained embeddings for
    audio classification tasks", EUSIPCO 2020.
HEO
    J. Heo, H. Shin, J. Kim, C. Lim, H.-J. Yu, "Convolution channel separation and frequency sub-bands
    aggregation for music genre classification", 2022.
"""

from earmark.train.models.architecture import HEADS, Architecture
from earmark.train.models.create import FUSIONS, count_parameters, create_model, published_parameters
from earmark.train.models.fusion import IntermediateFusion, LateFusion
from earmark.train.models.heads import MultiTaskOutputs, PatchNet, single_task
from earmark.train.models.layers import penalty
from earmark.train.models.registry import ARCHITECTURES
from earmark.train.models.trunk import Trunk
from earmark.train.models.tvsm import load_tvsm

__all__ = [
    "ARCHITECTURES",
    "FUSIONS",
    "HEADS",
    "Architecture",
    "IntermediateFusion",
    "LateFusion",
    "MultiTaskOutputs",
    "PatchNet",
    "Trunk",
    "count_parameters",
    "create_model",
    "load_tvsm",
    "penalty",
    "published_parameters",
    "single_task",
]
