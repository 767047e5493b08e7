"""The page of `earmark serve` in a real browser: how fast it is, and how it looks.

python benchmarks/page.py speed                  prints frames per second, first paint, size
python benchmarks/page.py pictures docs/page     writes the pictures of the documentation

Needs playwright, Pillow and a Chromium (--chromium, or /usr/bin/chromium).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
PROGRAMME = ROOT / "examples" / "programme.opus"
REFERENCE = ROOT / "examples" / "programme.csv"
FILES = ROOT / "src" / "earmark" / "server" / "page"
N_SEGMENTS, HOUR_S, LABELS = 10_000, 3600, ("speech", "music", "noise")

# What the page is led through, frame by frame: pans at three zooms, then a zoom through all of them.
SCRIPT = """async () => {
    const stage = document.getElementById("waveform");
    const box = stage.getBoundingClientRect();
    const wheel = (delta, zooms) => stage.dispatchEvent(new WheelEvent("wheel", {
        deltaY: delta, ctrlKey: zooms, bubbles: true, cancelable: true,
        clientX: box.left + box.width / 2, clientY: box.top + 10,
    }));
    const key = (name) => dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
    const run = (frames, step) => new Promise((done) => {
        const times = [];
        const next = (now) => {
            times.push(now);
            if (times.length > frames) return done(times);
            step(times.length);
            requestAnimationFrame(next);
        };
        requestAnimationFrame(next);
    });
    const told = (times) => {
        const gaps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
        return { rate: 1000 * gaps.length / (times.at(-1) - times[0]), worst: gaps.at(-1),
            slow: gaps[Math.floor(0.95 * gaps.length)] };
    };
    const found = {};
    key("0");
    for (const [name, zooms] of [["half an hour", 2], ["six minutes", 4], ["half a minute", 5]]) {
        for (let i = 0; i < zooms; i++) key("+");
        await new Promise((done) => setTimeout(done, 800));
        found[`pan, ${name} in view`] = told(await run(240, (i) => wheel(i < 120 ? 30 : -30, false)));
    }
    key("0");
    found["zoom in and out again"] = told(await run(240, (i) => wheel(i < 120 ? -20 : 20, true)));
    return found;
}"""


class Served:
    """A server on a free port, with its store in a folder."""

    def __init__(self, store: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "earmark",
            "serve",
            "--store",
            str(store),
            "--no-browser",
            "--port",
            "0",
        ]
        self.process = subprocess.Popen([*command, "--no-color"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        found = re.search(r"http://[\d.]+:\d+", self.process.stdout.readline())
        assert found, "the server did not start"
        self.url = found[0]

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.url + path, body, {"X-Earmark": "1"}, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def add(self, file: Path, name: str, ready: str) -> str:
        """Upload a recording; return its id when it has `ready`."""
        made = str(self.ask(f"/api/recordings?name={quote(name)}", "POST", file.read_bytes())["id"])
        while not self.ask(f"/api/recordings/{made}")[ready]:
            time.sleep(0.3)
        return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("speed", "pictures"))
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "page")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as work,
        served(Path(work)) as server,
        browser(given.chromium) as started,
    ):
        if given.task == "speed":
            speed(server, started, Path(work))
        else:
            pictures(server, started, given.folder)


@contextlib.contextmanager
def served(work: Path) -> Iterator[Served]:
    server = Served(work / "store")
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(30)


@contextlib.contextmanager
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


def shown(
    browser: Browser, url: str, width: int, height: int, scheme: Any = "light", scale: float = 1
) -> Page:
    """Open the page and wait until it is there."""
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=scale
    )
    page.goto(url)
    page.wait_for_selector("body.ready")
    return page


# -- speed -----------------------------------------------------------------------------------------


def speed(server: Served, browser: Browser, work: Path) -> None:
    print(f"page: {sum(file.stat().st_size for file in FILES.iterdir()) / 1000:.0f} kB in all")
    recording = server.add(an_hour(work / "hour.wav"), "an hour.wav", "peaks")
    for job in server.ask(f"/api/recordings/{recording}")["jobs"]:
        if job["state"] in ("queued", "running"):
            server.ask(f"/api/jobs/{job['id']}", "DELETE")
    marks = {"segments": many_segments(), "labels": LABELS}
    server.ask(f"/api/recordings/{recording}/timelines/many?format=json", "PUT", json.dumps(marks).encode())

    for width, height in ((1280, 720), (1920, 1080)):
        page = shown(browser, server.url, width, height)
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        page.goto(f"{server.url}/#{recording}")
        page.reload()
        page.get_by_text(f"{N_SEGMENTS:,} segments").wait_for()
        page.wait_for_timeout(1500)
        shift = page.evaluate(SHIFTS)
        print(f"{width}x{height}: first paint {paint:.0f} ms, layout shift {shift:.3f}")
        for what, found in page.evaluate(SCRIPT).items():
            print(
                f"  {N_SEGMENTS} segments, {what}: {found['rate']:.0f} frames/s; "
                f"19 of 20 frames within {found['slow']:.0f} ms, all within {found['worst']:.0f} ms"
            )
        page.close()


SHIFTS = """() => new Promise((done) => {
    let sum = 0;
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) sum += entry.value; })
        .observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(sum), 200);
})"""


def an_hour(file: Path) -> Path:
    """Write an hour of bursts of noise."""
    rng = np.random.default_rng(0)
    second = rng.normal(0, 4000, 8000) * np.hanning(8000)
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        for level in rng.uniform(0.1, 1, HOUR_S):
            out.writeframes((level * second).astype("<i2").tobytes())
    return file


def many_segments() -> list[dict[str, Any]]:
    """Return segments that alternate with gaps in each label."""
    rng = np.random.default_rng(1)
    found = []
    for place, label in enumerate(LABELS):
        n = N_SEGMENTS // len(LABELS) + (place < N_SEGMENTS % len(LABELS))
        edges = np.sort(rng.choice(HOUR_S * 1000, 2 * n, replace=False)) / 1000
        found += [{"start": a, "end": b, "label": label} for a, b in edges.reshape(-1, 2).tolist()]
    return found


# -- pictures --------------------------------------------------------------------------------------


def pictures(server: Served, browser: Browser, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    recording = server.add(PROGRAMME, "programme.opus", "timelines")
    server.ask(f"/api/recordings/{recording}/timelines/reference?format=csv", "PUT", REFERENCE.read_bytes())
    place = f"{server.url}/#{recording}"

    def take(page: Page, name: str) -> None:
        page.wait_for_timeout(1500)
        file = folder / f"{name}.png"
        page.screenshot(path=file)
        Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
        print(f"{file}: {file.stat().st_size / 1000:.0f} kB")
        page.close()

    page = opened(browser, place, 1280, 720)
    page.locator("#segments .segment").nth(3).click()
    take(page, "review")

    page = opened(browser, place, 1280, 720, "dark")
    page.click("#tab-compare")
    page.select_option("#reference", "reference")
    page.locator(".scores").wait_for()
    page.mouse.click(700, 250)
    page.keyboard.press("x")
    for _ in range(5):
        page.keyboard.press("+")
    take(page, "compare")

    page = opened(browser, place, 1280, 720, "dark")
    page.click("#tab-tune")
    page.locator(".slider input").nth(2).fill("4.5")
    page.locator("#preview").wait_for()
    take(page, "tune")

    page = opened(browser, place, 390, 844)
    page.locator("#segments .segment").nth(3).click()
    page.evaluate("scrollTo(0, 0)")
    take(page, "phone")


def opened(browser: Browser, place: str, *more: Any) -> Page:
    """Open a recording and wait for its segments."""
    page = shown(browser, place, *more)
    page.locator("#segments .segment").first.wait_for()
    return page


if __name__ == "__main__":
    main()
