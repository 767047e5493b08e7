"""The networks for genres that HEO compares, as the registry lists them."""

from __future__ import annotations

from earmark.train.models.architecture import Architecture
from earmark.train.models.bbnn import Bbnn
from earmark.train.models.ecapa import Ecapa
from earmark.train.models.resnet import ResNet
from earmark.train.models.vggnet import VggNet

# The crops HEO writes of; its program has 174 frames on GTZAN and 200 on Melon.
_HEO = (48, 202)

GENRES: tuple[Architecture, ...] = (
    *(
        Architecture(name, paper, summary, _HEO, "log-mel", 10, build, options)
        for name, paper, summary, build, options in (
            ("ecapa", "Heo et al. 2022 (HEO)", "blocks over time, attentive statistics", Ecapa, {}),
            (
                "ecapa-ccs",
                "Heo et al. 2022 (HEO)",
                "ecapa, part of whose channels stop after each block",
                Ecapa,
                {"channels": 1024, "stop": 512},
            ),
            (
                "ecapa-ccs-fsa",
                "Heo et al. 2022 (HEO)",
                "ecapa-ccs for each of four bands of frequency",
                Ecapa,
                {"channels": 1024, "stop": 512, "sub_bands": True},
            ),
            ("resnet18", "He et al. 2016 (HEO)", "18 residual layers", ResNet, {}),
            ("resnet34", "He et al. 2016 (HEO)", "34 residual layers", ResNet, {"blocks": (3, 4, 6, 3)}),
            (
                "se-resnet34",
                "Hu et al. 2018 (HEO)",
                "resnet34 with weighed channels",
                ResNet,
                {"blocks": (3, 4, 6, 3), "weighed": True},
            ),
        )
    ),
    Architecture(
        "vggnet",
        "Simonyan & Zisserman 2015 (HEO)",
        "thirteen convolutions, two dense layers of 4096",
        (48, 200),
        "log-mel",
        28,
        VggNet,
    ),
    Architecture(
        "bbnn",
        "Liu et al. 2021 (HEO)",
        "three blocks of four branches, all handed on",
        (128, 647),
        "mel in dB",
        10,
        Bbnn,
    ),
)
