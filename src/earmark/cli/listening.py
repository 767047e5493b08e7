"""Putting a listener together: from what was asked for to what writes, posts, records and draws."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import typer

from earmark.catalogue import load_model
from earmark.cli.marking import read_overrides
from earmark.detector import Detector
from earmark.errors import ConfigError, EarmarkError
from earmark.live.clips import Clips
from earmark.live.feed import Feed
from earmark.live.hearing import Hearing, delays_of
from earmark.live.listening import Listening
from earmark.live.rowfiles import RowFiles
from earmark.live.rows import FORMATS, Row, Zone, parse_time
from earmark.live.source import Pcm, Source, list_devices
from earmark.live.view import View
from earmark.live.wallclock import WallClock
from earmark.live.watermark import Mark, Watermark
from earmark.live.webhook import Webhook
from earmark.lock import locked
from earmark.model import Model
from earmark.terminal import make_console, print_error, print_warning, printable


@dataclass(frozen=True)
class Wishes:
    """What is to come of listening; the fields are the options of `earmark listen`."""

    output: str | None
    formats: tuple[str, ...]
    rotate: str
    utc_offset: str
    webhook: str | None
    clips: Path | None
    clip_seconds: float
    clip_format: str
    quiet: bool
    color: bool


def listen_to(
    text: str,
    model_name: str,
    changes: Mapping[str, Sequence[str] | None],
    wishes: Wishes,
    *,
    pcm: str | None,
    start: str | None,
    timeout: float,
) -> None:
    """Listen to a source until it is over or a signal comes.

    Raises
    ------
    ConfigError
        If what is asked for does not go together, or the model is no detector.
    EarmarkError
        If the source cannot be opened, or the results cannot be written.
    """
    if not timeout > 0:
        raise ConfigError(f"--timeout {timeout:g}: give more than 0 seconds")
    source = Source.parse(text, Pcm.parse(pcm) if pcm is not None else None, timeout)
    zone = Zone(wishes.utc_offset)
    began = None if start is None else parse_time(start)
    model = load_model(model_name)
    if not isinstance(model, Model):
        raise ConfigError(
            f"model '{model_name}' cannot listen: it hears long pieces as a whole; take a detector, as "
            "'detector' is and earmark train makes"
        )
    hearing = Hearing(model, Detector(model, read_overrides(changes, model.labels)).options)

    def warn(message: str) -> None:
        print_warning(message, color=wishes.color)

    usual = delays_of(model.decode)
    longer = [f"{label} {s:g} s" for label, s in hearing.delays.items() if s > usual[label]]
    if longer:
        warn(f"with these options, starts and ends are told later than else: {', '.join(longer)} after them")
    with ExitStack() as resources:
        outlets = _Outlets(source, model, hearing, zone, wishes, warn, resources)
        feed = resources.enter_context(
            Feed(
                lambda: source.open(model.sample_rate),
                model.sample_rate,
                may_reopen=source.is_address or source.is_device,
                can_wait=not source.is_device,
            )
        )
        is_live = began is None and not source.is_recording and feed.duration is None
        clock = WallClock(time.time() if began is None else began, live=is_live)
        listening = Listening(
            feed,
            hearing,
            clock,
            model.sample_rate,
            to_row=outlets.row,
            to_sound=outlets.sound,
            to_clock=outlets.clock,
            to_mark=outlets.mark,
            resumed=outlets.resumed,
        )
        with _until_signalled(listening.stop):
            listening.run(note=source.name)
    if listening.problem is not None:
        print_error(f"{source.name}: {listening.problem}", color=wishes.color)
        raise typer.Exit(1)


class _Outlets:
    """Everything that takes rows, sound and the time."""

    def __init__(
        self,
        source: Source,
        model: Model,
        hearing: Hearing,
        zone: Zone,
        wishes: Wishes,
        warn: Callable[[str], None],
        resources: ExitStack,
    ) -> None:
        self._rows: list[Callable[[Row], None]] = []
        self._sounds: list[Callable[[npt.NDArray[np.float32]], None]] = []
        self._clocks: list[Callable[[float | None], None]] = []
        self._watermark: Watermark | None = None
        console = make_console(color=wishes.color)
        to_pipe = wishes.output == "-" or (
            wishes.output is None and not wishes.quiet and not console.is_terminal
        )
        nothing = wishes.output is None and wishes.webhook is None and wishes.clips is None
        if wishes.quiet and nothing:
            raise ConfigError(
                "--quiet leaves nothing to do; give --output DIR for rows, --webhook URL or --clips DIR"
            )
        if to_pipe:
            self._rows.append(_printer(wishes.formats, zone))
        elif wishes.output is not None:
            files = RowFiles(Path(wishes.output), wishes.formats, wishes.rotate, zone, warn)
            resources.enter_context(locked(Path(wishes.output), "listening.lock"))
            self._rows.append(files.write)
            self._clocks.append(lambda _: files.flush())
            self._watermark = Watermark(Path(wishes.output) / "listening.json")
        if wishes.webhook is not None:
            self._rows.append(_poster(Webhook(wishes.webhook, warn), source.name, zone, warn, resources))
        if wishes.clips is not None:
            clips = Clips(
                wishes.clips, wishes.clip_seconds, wishes.clip_format, model.sample_rate, zone, warn
            )
            resources.callback(clips.close)
            self._rows.append(clips.row)
            self._sounds.append(clips.sound)
        if not (to_pipe or wishes.quiet) and console.is_terminal:
            view = View(
                source.name, model.labels, max(hearing.delays.values()), model.sample_rate, zone, console
            )
            resources.enter_context(view)
            self._rows.append(view.row)
            self._sounds.append(view.sound)
            self._clocks.append(view.update)

    @property
    def resumed(self) -> Mark | None:
        """What an earlier run into the same folder left."""
        return self._watermark.read() if self._watermark is not None else None

    def mark(self, mark: Mark, has_told: bool) -> None:
        """Keep what a run that follows needs to know; at once where rows came."""
        if self._watermark is not None:
            self._watermark.write(mark, now=has_told)

    def row(self, row: Row) -> None:
        for take in self._rows:
            take(row)

    def sound(self, samples: npt.NDArray[np.float32]) -> None:
        for take in self._sounds:
            take(samples)

    def clock(self, time_of_day: float | None) -> None:
        for take in self._clocks:
            take(time_of_day)


def _printer(formats: Sequence[str], zone: Zone) -> Callable[[Row], None]:
    """Return what writes rows to standard output."""
    if len(formats) > 1:
        raise ConfigError(f"standard output holds one format, not {' and '.join(formats)}; choose one")
    if formats[0] not in FORMATS:
        raise ConfigError(f"--format {formats[0]}: rows are written as {' or '.join(FORMATS)}")
    if sys.stdout is None:
        raise EarmarkError("standard output is closed; give a folder: --output DIR")
    line, header = FORMATS[formats[0]]
    out = sys.stdout

    def write(row: Row) -> None:
        nonlocal header
        out.write(header + line(row, zone))
        out.flush()
        header = ""

    return write


def _poster(
    webhook: Webhook, name: str, zone: Zone, warn: Callable[[str], None], resources: ExitStack
) -> Callable[[Row], None]:
    """Return what posts rows that change something, and what sounds after them."""
    sounding: dict[str, None] = {}

    def close() -> None:
        if left := webhook.close():
            warn(f"webhook: {left} messages were not delivered")

    def post(row: Row) -> None:
        if row.event == "segment":
            return
        if row.event == "start" and row.label:
            sounding[row.label] = None
        elif row.event in ("end", "withdrawn") and row.label:
            sounding.pop(row.label, None)
        webhook.post({**row.fields(zone), "sounding": list(sounding), "source": name})

    resources.callback(close)
    return post


@contextmanager
def _until_signalled(stop: Callable[[], None]) -> Iterator[None]:
    """Let signals that end a program stop listening, which then ends in good order; a second one ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}

    def handle(number: int, _: object) -> None:
        stop()
        signal.signal(number, signal.default_int_handler)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_devices() -> None:
    """Print what can be listened to here, one a line."""
    devices = list_devices()
    if not devices:
        raise EarmarkError(
            "no device to record from was found; pipe instead, e.g.: "
            "arecord -f S16_LE -r 16000 -c 1 -t raw | earmark listen - --pcm 16000/s16le/1"
        )
    for name, description in devices:
        typer.echo(f"{printable(name)}\t{printable(description)}")
