"""Which architectures there are, by name, each as its paper has it."""

from __future__ import annotations

from earmark.train.models.allconv import AllConv
from earmark.train.models.architecture import Architecture
from earmark.train.models.dnn import Dnn
from earmark.train.models.genres import GENRES
from earmark.train.models.gro import GroCnn, GroDnn, GroHan, HanCnn
from earmark.train.models.ina import InaSm, InaSmn
from earmark.train.models.jang import Jang
from earmark.train.models.kumar import Kumar
from earmark.train.models.learned import LearnedHp
from earmark.train.models.openl3 import OpenL3
from earmark.train.models.papakostas import Papakostas
from earmark.train.models.swishnet import SwishNet
from earmark.train.models.tcn import FrameTcn, PatchTcn
from earmark.train.models.tvsm import TvsmCrnn
from earmark.train.models.vgg import VggLike
from earmark.train.models.vggish import Vggish

_LEMAIRE = "Lemaire & Holzapfel 2019"

ARCHITECTURES: dict[str, Architecture] = {
    a.name: a
    for a in (
        Architecture(
            "ina-sm",
            "Doukhan et al. 2018 (KC; BHA B1)",
            "INA's MIREX 2018 net, dense layers of 512",
            (21, 68),
            "log-mel, normalised per patch",
            3,
            InaSm,
        ),
        Architecture(
            "ina-smn",
            "Doukhan et al. 2018 (KC)",
            "inaSpeechSegmenter's speech, music and noise net, dense layers of 256",
            (21, 68),
            "log-mel, normalised per patch",
            3,
            InaSmn,
        ),
        Architecture(
            "swishnet-slim",
            "Hussain & Haque 2018 (KC)",
            "gated causal convolutions with skips",
            (20, 98),
            "MFCC",
            3,
            SwishNet,
        ),
        Architecture(
            "swishnet-wide",
            "Hussain & Haque 2018 (KC)",
            "SwishNet with twice the channels",
            (20, 98),
            "MFCC",
            3,
            SwishNet,
            {"width": 2},
        ),
        Architecture(
            "vgg-like",
            "Kehling & Cano (KC)",
            "two pairs of convolutions, two dense layers",
            (128, 10),
            "log-mel",
            2,
            VggLike,
        ),
        Architecture(
            "dnn", "Kehling & Cano (KC)", "one dense layer on a flattened patch", (128, 10), "log-mel", 2, Dnn
        ),
        Architecture(
            "papakostas",
            "Papakostas & Giannakopoulos 2018 (BHA B2)",
            "three convolutions, two dense layers of 4096",
            (201, 68),
            "spectrogram",
            3,
            Papakostas,
        ),
        Architecture(
            "lemaire-b3",
            f"{_LEMAIRE} (BHA B3)",
            "non-causal TCN, as BHA tuned it",
            (80, 68),
            "log-mel",
            3,
            PatchTcn,
        ),
        Architecture(
            "lemaire-ctcn",
            _LEMAIRE,
            "causal TCN, exp3 of the published code",
            (80, 270),
            "log-mel",
            2,
            FrameTcn,
            {
                "filters": (32, 16),
                "kernel": 13,
                "dilations": (1, 2, 4, 8, 16),
                "stacks": 6,
                "dropout": 0.0764055,
                "causal": True,
            },
            "frames",
        ),
        Architecture(
            "lemaire-nctcn",
            _LEMAIRE,
            "non-causal TCN, exp4 of the published code",
            (80, 270),
            "log-mel",
            2,
            FrameTcn,
            {
                "filters": (16, 32),
                "kernel": 17,
                "dilations": (1, 2, 4, 8),
                "stacks": 7,
                "dropout": 0.075669,
            },
            "frames",
        ),
        Architecture(
            "lemaire-final2",
            _LEMAIRE,
            "large non-causal TCN, final_2 of the published code",
            (80, 270),
            "log-mel",
            2,
            FrameTcn,
            {
                "filters": (64, 64, 64, 16, 64),
                "kernel": 39,
                "dilations": (1, 2, 4, 8, 16, 32, 64),
                "stacks": 6,
                "dropout": 0.0397157,
            },
            "frames",
        ),
        Architecture(
            "lemaire-final3",
            _LEMAIRE,
            "far-seeing non-causal TCN, final_3 of the published code",
            (80, 270),
            "log-mel",
            2,
            FrameTcn,
            {
                "filters": (16, 32),
                "kernel": 19,
                "dilations": (1, 2, 4, 8, 16, 32, 64, 128, 256),
                "stacks": 3,
                "dropout": 0.135883,
            },
            "frames",
        ),
        Architecture(
            "jang",
            "Jang et al. 2019 (BHA B4)",
            "learned mel kernels, convolutions, dense layers",
            (257, 68),
            "log spectrogram",
            3,
            Jang,
        ),
        Architecture(
            "jang-nofc",
            "Jang et al. 2019 (BHA B4 NoFC)",
            "learned mel kernels, convolutions",
            (257, 68),
            "log spectrogram",
            3,
            Jang,
            {"dense": False, "pool": "valid"},
        ),
        Architecture(
            "jang-hp",
            "Bhattacharjee et al. (BHA B4-MTL NoFC)",
            "learned mel kernels for harmonic and percussive part, convolutions",
            (514, 68),
            "log spectrograms, harmonic above percussive",
            3,
            Jang,
            {"dense": False, "n_mels": 120, "streams": 2, "penalty": "all"},
        ),
        Architecture(
            "learned-hp",
            "earmark",
            "the detector's network after a learned harmonic-percussive decomposition",
            (80, 32),
            "log-mel",
            3,
            LearnedHp,
        ),
        Architecture(
            "all-conv",
            "Bhatia & Thakur (ALL)",
            "convolutions with learned pooling",
            (40, 5),
            "mel spectrogram in dB",
            2,
            AllConv,
        ),
        Architecture(
            "gro-t3",
            "Grollmisch et al. (GRO T3)",
            "four convolutions, maxima over the patch",
            (80, 140),
            "log-mel, normalised per cell",
            4,
            GroCnn,
        ),
        Architecture(
            "gro-t1",
            "Grollmisch et al. (GRO T1)",
            "gro-t3 on linear frequencies",
            (257, 34),
            "log spectrogram, normalised per cell",
            5,
            GroCnn,
        ),
        Architecture(
            "gro-t1-dnn",
            "Grollmisch et al. (GRO T1)",
            "one dense layer",
            (1024, 1),
            "log spectrogram, averaged over 1.7 s, normalised",
            5,
            GroDnn,
        ),
        Architecture(
            "gro-t2",
            "Grollmisch et al. (GRO T2)",
            "half of han's convolutions, with batch norm",
            (128, 43),
            "log-mel, normalised per cell",
            5,
            GroHan,
        ),
        Architecture(
            "gro-t4",
            "Grollmisch et al. (GRO T4, T5)",
            "gro-t1-dnn on single windows",
            (1024, 1),
            "log spectrogram, normalised",
            3,
            GroDnn,
        ),
        Architecture(
            "gro-t6",
            "Grollmisch et al. (GRO T6)",
            "gro-t3 for five classes",
            (80, 140),
            "log-mel, normalised per cell",
            5,
            GroCnn,
        ),
        Architecture(
            "han",
            "Han et al. 2017 (GRO T2)",
            "four pairs of convolutions, maxima over the patch, one dense layer",
            (128, 43),
            "log-mel",
            11,
            HanCnn,
        ),
        *GENRES,
        Architecture(
            "tvsm-crnn",
            "Hung et al. 2022",
            "convolutions and two recurrent layers; weights are published",
            (128, 625),
            "mel, PCEN",
            2,
            TvsmCrnn,
            {},
            "frames",
        ),
        *(
            Architecture(
                f"openl3-{name}",
                "Cramer et al. 2019 (KC; GRO)",
                f"four pairs of convolutions on {what}; weights are published",
                shape,
                "spectra in dB",
                0,
                OpenL3,
                {"embedding": 512},
                "embedding",
            )
            for name, what, shape in (
                ("mel256", "256 mel bands", (256, 199)),
                ("mel128", "128 mel bands", (128, 199)),
                ("linear", "linear frequencies", (257, 197)),
            )
        ),
        Architecture(
            "vggish",
            "Hershey et al. 2017 (GRO)",
            "six convolutions, three dense layers; weights are published",
            (64, 96),
            "log-mel",
            0,
            Vggish,
            {},
            "embedding",
        ),
        Architecture(
            "kumar",
            "Kumar et al. 2018 (GRO)",
            "twelve convolutions for weakly labelled sounds; weights are published",
            (128, 128),
            "mel in dB",
            527,
            Kumar,
        ),
    )
}
