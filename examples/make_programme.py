"""Make programme.opus and programme.csv: a short radio programme whose labels are known exactly.

    python examples/make_programme.py

Needs earmark and the program espeak-ng.  Voices are espeak-ng's; music and noises are computed (see
`pieces` and `instruments`).  The same versions of everything give the same files.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import instruments
import numpy as np
import numpy.typing as npt
import pieces

from earmark.activity import activity
from earmark.audio import read_audio
from earmark.audio_writer import write_audio
from earmark.formats import write
from earmark.frames import FrameGrid
from earmark.programme import Event, Programme
from earmark.render import HOP_S, labels, render
from earmark.sources import Content, Source
from earmark.timeline import Timeline

RATE = instruments.RATE
Samples = npt.NDArray[np.float32]

# dBFS of the active level.
LEAD, UNDER = -20.0, -32.0


# -- voices ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Voice:
    """How espeak-ng speaks: voice, words a minute, pitch (0 to 99)."""

    name: str
    speed: int
    pitch: int


ANNA = Voice("en-gb-x-rp+Annie", 156, 50)
BEN = Voice("en-us+m7", 152, 46)
CARLA = Voice("de+Andrea", 152, 42)
DENIS = Voice("fr+max", 156, 50)
ELENA = Voice("es+shelby", 154, 52)


def speak(voice: Voice, *parts: str | float) -> Samples:
    """Speak sentences one after the other; numbers between them are pauses in seconds."""
    spoken = [
        np.zeros(round(p * RATE), np.float32) if isinstance(p, float) else _say(voice, p) for p in parts
    ]
    return np.concatenate(spoken)


def _say(voice: Voice, text: str) -> Samples:
    command = ["espeak-ng", "--stdout", "-v", voice.name, "-s", str(voice.speed), "-p", str(voice.pitch)]
    done = subprocess.run([*command, text], capture_output=True, check=True)
    samples, _ = read_audio(io.BytesIO(done.stdout), sample_rate=RATE)
    heard = np.flatnonzero(np.abs(samples) > 0.005)
    return samples[heard[0] : heard[-1] + 1]


# -- the programme ---------------------------------------------------------------------------------


class Desk:
    """Collects what sounds when; a plan in the sense of `earmark.programme`."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.samples: list[Samples] = []
        self.events: list[Event] = []

    def add(
        self,
        content: Content,
        samples: npt.ArrayLike,
        start: float,
        ride: Sequence[tuple[float, float]] = ((0, LEAD),),
        duration: float | None = None,
        offset: float = 0.0,
    ) -> float:
        """Let something sound from `start`; `ride` holds seconds from there and levels.  Return its end."""
        signal = np.asarray(samples, dtype=np.float32)
        seconds = len(signal) / RATE if duration is None else duration
        name = f"{content} {len(self.sources)}"
        self.sources.append(Source(name, content, False, len(signal) / RATE, name, "example"))
        self.samples.append(signal)
        times, levels = zip(*ride, strict=True)
        self.events.append(Event(len(self.sources) - 1, start, seconds, offset, times, levels))
        return start + seconds

    def finish(self, duration: float) -> tuple[Samples, Timeline]:
        """Return the waveform and its labels."""
        programme = Programme(duration, tuple(self.events))
        heard = [
            activity(signal, source.content, FrameGrid(RATE, round(HOP_S * RATE), round(HOP_S * RATE)))
            for signal, source in zip(self.samples, self.sources, strict=True)
        ]
        by_source = dict(zip(self.sources, self.samples, strict=True))
        mixed = render(programme, self.sources, by_source.__getitem__, sample_rate=RATE, activities=heard)
        return mixed, labels(programme, self.sources, heard)


def make(seed: int) -> tuple[Samples, Timeline]:
    """Return the programme, and its labels."""
    rng = np.random.default_rng(seed)
    desk = Desk()

    # The station's jingle; the announcer comes in over its last chord, then is alone.
    at = desk.add("music", pieces.jingle(rng), 0.3)
    at = desk.add(
        "speech",
        speak(
            ANNA,
            "Good morning, and welcome to the programme.",
            0.35,
            "Today we ask how a bridge is painted, and we hear what is in season at the market.",
            0.4,
            "But first, a look at the weather.",
        ),
        at - 0.9,
    )

    # Talk over a bed that ducks under the voice.
    bed = at + 0.3
    forecast = speak(
        CARLA,
        "Heute bleibt es im Norden meist trocken, im Süden gibt es am Nachmittag einzelne Schauer.",
        0.3,
        "Die Temperaturen liegen zwischen zwölf und achtzehn Grad.",
    )
    outlook = speak(CARLA, "Morgen wird es freundlicher, und der Wind lässt langsam nach.")
    first = bed + 3.0
    between = first + len(forecast) / RATE
    second = between + 2.6
    end = second + len(outlook) / RATE
    desk.add("speech", forecast, first)
    desk.add("speech", outlook, second)
    ride: list[tuple[float, float]] = [(0, LEAD)]
    for start, stop in ((first, between), (second, end)):
        ride += [
            (start - 0.5 - bed, LEAD),
            (start - bed, UNDER),
            (stop - bed, UNDER),
            (stop + 0.6 - bed, LEAD),
        ]
    ride += [(end + 1.2 - bed, LEAD), (end + 2.8 - bed, -58.0)]
    at = desk.add("music", pieces.lounge(rng), bed, ride, duration=end + 2.8 - bed)

    # A conversation with pauses, in a quiet studio.
    talk = at = at + 0.4
    conversation: list[tuple[Voice, tuple[str | float, ...], float]] = [
        (ANNA, ("How long does it take to paint the whole bridge?",), 0.8),
        (BEN, ("About four years.", 0.7, "At the far end, we begin again at the first pillar."), 0.3),
        (ANNA, ("And who decides on the colour?",), 1.1),
        (
            DENIS,
            ("La ville a choisi un vert très clair.", 0.4, "On le voit bien, même dans le brouillard."),
            0.7,
        ),
        (BEN, ("Some people would have liked blue.",), 0.0),
    ]
    for voice, parts, pause in conversation:
        at = desk.add("speech", speak(voice, *parts), at) + pause
    desk.add("noise", instruments.studio(rng, 4.0), talk, ((0, -68.0),), duration=at - talk)

    # Music alone, and a hard cut into the rain.
    at = desk.add("music", pieces.song(rng), at + 0.6, duration=12.0)
    at = desk.add("noise", instruments.rain(rng, 4.0), at, ((0, -26.0),))

    # Out in the street: noise, a reporter in it, a band that comes nearer, applause.
    street = at
    reporter = speak(
        ELENA,
        "Estamos en la plaza del mercado.",
        0.4,
        "Hay manzanas, peras y las primeras calabazas del otoño.",
        0.3,
        "Y al fondo ya se oye la banda.",
    )
    at = desk.add("speech", reporter, street + 2.5, ((0, -21.0),))
    band = pieces.parade(rng)
    length = len(band) / RATE
    end = desk.add("music", band, at + 0.2, ((0, -30.0), (2.0, -20.0), (length, -20.0)))
    at = desk.add(
        "noise", instruments.applause(rng, 4.5), end - 0.2, ((0, -22.0), (3.0, -22.0), (4.5, -48.0))
    )
    length = at - street
    fade = ((0, -30.0), (length - 1.5, -30.0), (length, -48.0))
    desk.add("noise", instruments.street(rng, length), street, fade)

    # Two seconds of nothing, then a piano piece with the closing words over it.
    start = at + 2.0
    goodbye = speak(ANNA, "That was all for this morning.", 0.35, "Thank you for listening, and goodbye.")
    words = start + 5.0
    stop = words + len(goodbye) / RATE
    desk.add("speech", goodbye, words)
    ride = [(0, LEAD), (4.4, LEAD), (5.0, UNDER), (stop - start, UNDER), (stop + 0.8 - start, LEAD - 2)]
    at = desk.add("music", pieces.prelude(rng), start, [*ride, (16.0, LEAD - 4)], duration=16.0)
    return desk.finish(at + 0.5)


def main() -> None:
    """Write the two files."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Make programme.opus and programme.csv.")
    parser.add_argument("--out", type=Path, default=here, help="folder to write to (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if shutil.which("espeak-ng") is None:
        sys.exit("espeak-ng is not installed; on Debian and Ubuntu: apt install espeak-ng")
    samples, timeline = make(arguments.seed)
    write_audio(arguments.out / "programme.opus", samples, RATE)
    write(timeline, arguments.out / "programme.csv")
    print(f"{timeline.duration:.1f} s, {len(timeline)} segments, in {arguments.out}")


if __name__ == "__main__":
    main()
