"""The page in a real browser, on the real server: upload, look, play, edit, compare, export."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from earmark.modelfile import DEFAULT_MODEL, embedded_models

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
api = pytest.importorskip("playwright.sync_api")

CHROMIUM = Path("/usr/bin/chromium")
PROGRAMME = Path(__file__).parents[1] / "examples" / "programme.opus"
PAGE = Path(__file__).parents[1] / "src" / "earmark" / "server" / "page"
WAIT_MS = 20_000

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium"),
    pytest.mark.skipif(
        DEFAULT_MODEL not in embedded_models(), reason=f"no model '{DEFAULT_MODEL}' in the installed package"
    ),
]

SEGMENTS = [
    {"start": 10.0, "end": 20.0, "label": "speech"},
    {"start": 30.0, "end": 40.0, "label": "speech"},
    {"start": 42.0, "end": 50.0, "label": "speech"},
    {"start": 15.0, "end": 60.0, "label": "music"},
]


class Served:
    """A server of its own on a free port, or one that is given."""

    def __init__(self, store: Path, *options: str, port: int = 0) -> None:
        command = [
            sys.executable,
            "-m",
            "earmark",
            "serve",
            "--store",
            str(store),
            "--no-browser",
            "--no-color",
        ]
        self.process = subprocess.Popen(
            [*command, "--port", str(port), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        said = next((line for line in self.process.stdout if "http://" in line), "")
        found = re.search(r"http://[\d.]+:(\d+)", said)
        assert found, said
        self.url, self.port = found[0], int(found[1])

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.url + path, body, {"X-Earmark": "1"}, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def put(self, recording: str, name: str, segments: list[dict[str, Any]]) -> None:
        """Replace a timeline, whatever it was."""
        place = f"/api/recordings/{recording}/timelines"
        if name in {each["name"] for each in self.ask(place)}:
            self.ask(f"{place}/{name}", "DELETE")
        marks = {"segments": segments, "labels": ["speech", "music", "noise"]}
        self.ask(f"{place}/{name}?format=json", "PUT", json.dumps(marks).encode())

    def segments(self, recording: str, name: str = "edited") -> list[tuple[float, float, str]]:
        found = self.ask(f"/api/recordings/{recording}/timelines/{name}")["segments"]
        return [(each["start"], each["end"], each["label"]) for each in found]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with contextlib.closing(Served(tmp_path_factory.mktemp("store"))) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api.expect.set_options(timeout=WAIT_MS)
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Open the page, at a recording if one is named; what goes wrong in it fails the test."""
    contexts, wrong = [], []

    def opener(recording: str = "", **more: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 720}, **more))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Security Policy" in said.text else None)
        page.goto(f"{served.url}/#{recording}" if recording else served.url)
        page.wait_for_selector("body.ready")
        if recording:
            api.expect(page.locator("#timeline")).not_to_have_value("")
        return page

    yield opener
    for context in contexts:
        context.close()
    assert not wrong


@pytest.fixture(scope="module")
def marked(served: Served) -> str:
    """A recording that has been listened to."""
    made = served.ask("/api/recordings?name=programme.opus", "POST", PROGRAMME.read_bytes())
    until = time.monotonic() + 60
    while served.ask(f"/api/recordings/{made['id']}")["state"] != "done":
        assert time.monotonic() < until
        time.sleep(0.2)
    return str(made["id"])


@pytest.fixture
def edited(served: Served, marked: str) -> str:
    """The same recording with a timeline `edited` that is known."""
    served.put(marked, "edited", SEGMENTS)
    return marked


def drawn(page: Any, canvas: str) -> int:
    """Return how many colours a canvas shows."""
    return int(
        page.evaluate(
            """id => {
                const canvas = document.getElementById(id);
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                return new Set(new Uint32Array(data.buffer)).size;
            }""",
            canvas,
        )
    )


def place(page: Any, label: int, seconds: float) -> tuple[float, float]:
    """Return where a time lies in the bar of a lane."""
    box = page.locator("#lanes").bounding_box()
    duration = 112.34
    seen = page.evaluate("location.hash").partition("@")[2]
    start, span = map(float, seen.split("+")) if seen else (0.0, duration)
    rows = page.locator("#lane-heads .head").count()
    return box["x"] + (seconds - start) / span * box["width"], box["y"] + (label + 0.3) * box["height"] / rows


def count(page: Any) -> str:
    return str(page.locator("#segment-count").inner_text())


def eventually(found: Callable[[], Any], wanted: Any) -> None:
    until = time.monotonic() + WAIT_MS / 1000
    while found() != wanted and time.monotonic() < until:
        time.sleep(0.05)
    assert found() == wanted


def test_a_file_is_uploaded_watched_seen_played_and_zoomed(opened: Callable[..., Any]) -> None:
    page = opened()
    api.expect(page.locator("#welcome-title")).to_be_visible()
    breaks = iter([True])  # the connection, once
    page.route(
        "**/api/uploads/*?offset=*", lambda route: route.abort() if next(breaks, False) else route.continue_()
    )
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Add files").first.click()
    choosing.value.set_files(PROGRAMME)
    page.get_by_text("waits for the server").wait_for()
    page.wait_for_selector("#recordings .open[aria-current]")
    page.wait_for_selector("#recordings [role=progressbar], #recordings .shares")
    page.wait_for_selector("#recordings .shares")
    eventually(lambda: page.locator("#segments .segment").count() > 3, True)
    assert page.locator("#lane-heads b").all_inner_texts() == ["speech", "music", "noise"]
    for canvas in ("waveform", "spectrogram", "lanes", "ruler"):
        eventually(lambda canvas=canvas: drawn(page, canvas) > 2, True)

    page.keyboard.press("+")
    eventually(lambda: "@" in page.evaluate("location.hash"), True)
    for _ in range(20):
        page.keyboard.press("+")
    api.expect(page.locator("#span")).to_have_text("50 ms")
    page.keyboard.press("0")
    api.expect(page.locator("#span")).to_have_text("1 min 53 s")

    page.keyboard.press(" ")
    api.expect(page.get_by_role("button", name="Pause")).to_be_visible()
    eventually(lambda: page.inner_text("#position") > "0:00.30", True)
    page.keyboard.press(" ")
    api.expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_edits_are_saved_undone_exported_and_there_after_a_reload(
    opened: Callable[..., Any], served: Served, edited: str
) -> None:
    page = opened(edited)
    shares = ["speech 25 %", "music 40 %", "both 20 %", "neither 56 %"]
    api.expect(page.locator("#shares span")).to_have_text(shares)
    api.expect(page.locator("#lane-heads .share")).to_have_text(["25 % · 0:28", "40 % · 0:45", "none"])
    page.mouse.click(*place(page, 0, 35))
    api.expect(page.locator("#picked-start")).to_have_value("0:30.000")

    start, end = place(page, 0, 40), place(page, 0, 41)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    eventually(lambda: 40.5 < served.segments(edited)[2][1] < 41.5, True)

    page.mouse.move(*place(page, 2, 70))
    page.mouse.down()
    page.mouse.move(*place(page, 2, 80), steps=4)
    page.mouse.up()
    api.expect(page.locator("#segment-count")).to_have_text("5 segments")
    page.select_option("#picked-label", "speech")
    eventually(lambda: [s[2] for s in served.segments(edited)].count("speech"), 4)

    for _ in range(3):
        page.keyboard.press("Control+z")
    first = sorted((s["start"], s["end"], s["label"]) for s in SEGMENTS)
    eventually(lambda: sorted(served.segments(edited)), first)
    page.keyboard.press("Control+Shift+z")
    eventually(lambda: 40.5 < served.segments(edited)[2][1] < 41.5, True)

    page.click("#tab-exports")
    with page.expect_download() as saving:
        page.click("a[data-format=csv]")
    rows = list(csv.DictReader(io.StringIO(Path(saving.value.path()).read_text(encoding="utf-8"))))
    assert [row["label"] for row in rows] == [s[2] for s in served.segments(edited)]
    assert page.locator("a[data-format]").count() == len(served.ask("/api/status")["formats"])

    page.reload()
    api.expect(page.locator("#timeline")).to_have_value("edited")
    assert count(page) == "4 segments"


def test_the_keyboard_alone_will_do(opened: Callable[..., Any], served: Served, edited: str) -> None:
    page = opened()
    page.keyboard.press("Tab")
    api.expect(page.locator(".skip")).to_be_focused()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('li')?.dataset.id ?? ''") == edited:
            break
    page.keyboard.press("Enter")
    api.expect(page.locator("#timeline")).to_have_value("edited")
    api.expect(page.locator("#stage")).to_be_focused()

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("s")
    page.keyboard.press("3")
    eventually(lambda: [s[2] for s in served.segments(edited)].count("noise"), 1)
    page.keyboard.press("Alt+Shift+ArrowRight")
    eventually(lambda: [s[1] for s in served.segments(edited) if s[2] == "noise"], [20.01])
    page.keyboard.press("Delete")
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    page.keyboard.press("i")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("g")
    page.keyboard.type("1:40")
    page.keyboard.press("Enter")
    page.keyboard.press("o")
    page.keyboard.press("3")
    eventually(lambda: [s[0] for s in served.segments(edited) if s[2] == "noise"], [100.0])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("m")
    eventually(lambda: (30.0, 50.0, "speech") in served.segments(edited), True)

    page.keyboard.press("?")
    api.expect(page.get_by_role("dialog")).to_contain_text("Split at the cursor")
    page.keyboard.press("Escape")
    api.expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("noise")
    api.expect(page.locator("#segment-count")).to_have_text(re.compile("^1 segment of"))


def test_two_pages_see_each_others_edits_and_are_told_of_conflicts(
    opened: Callable[..., Any], served: Served, edited: str
) -> None:
    one, other = opened(edited), opened(edited)
    one.keyboard.press("ArrowDown")
    one.keyboard.press("Delete")
    api.expect(other.locator("#segment-count")).to_have_text("3 segments")
    other.keyboard.press("Control+z")
    api.expect(other.locator("#status-line")).to_have_text("There is nothing to undo.")
    one.keyboard.press("Control+z")
    api.expect(other.locator("#segment-count")).to_have_text("4 segments")

    # What this page does not hear of, it learns when it saves.
    stale = opened()
    stale.route("**/api/events", lambda route: route.abort())
    stale.goto(f"{served.url}/#{edited}")
    stale.reload()
    api.expect(stale.locator("#timeline")).to_have_value("edited")
    stale.mouse.click(*place(stale, 0, 35))
    one.mouse.click(*place(one, 0, 35))
    one.fill("#picked-end", "0:41")
    one.keyboard.press("Enter")
    eventually(lambda: (30.0, 41.0, "speech") in served.segments(edited), True)
    stale.keyboard.press("3")
    told = stale.get_by_role("alert").filter(has_text="Somebody else has changed this")
    api.expect(told).to_be_visible()
    assert (30.0, 41.0, "speech") in served.segments(edited)
    told.get_by_role("button", name="Make my change again").click()
    eventually(lambda: (30.0, 40.0, "noise") in served.segments(edited), True)
    assert (30.0, 41.0, "speech") not in served.segments(edited)


def test_a_reference_is_compared_and_its_disagreements_are_gone_through(
    opened: Callable[..., Any], edited: str, tmp_path: Path
) -> None:
    reference = tmp_path / "reference.csv"
    reference.write_text("start,end,label\n10,20,speech\n30,44,speech\n42,50,music\n", encoding="utf-8")
    page = opened(edited)
    page.click("#tab-compare")
    with page.expect_file_chooser() as choosing:
        page.click("text=Reference from a file")
    choosing.value.set_files(reference)
    speech = page.locator(".scores tbody tr").filter(has_text="speech")
    api.expect(speech.locator("td").first).to_have_text(re.compile(r"^\d\d\.\d$"))
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    api.expect(page.locator("#status-line")).to_have_text("Extra music, 0:15.00 to 0:42.00.")
    page.keyboard.press("x")
    api.expect(page.locator("#status-line")).to_have_text("Missed speech, 0:40.00 to 0:42.00.")
    page.get_by_role("button", name="Swap").click()
    api.expect(page.locator(".scores caption")).to_contain_text("“reference” against “edited”")


def test_sliders_decode_at_once_and_what_is_kept_is_a_timeline(
    opened: Callable[..., Any], served: Served, edited: str
) -> None:
    page = opened(edited)
    page.click("#tab-tune")
    page.get_by_label("Shortest segment").first.fill("9")
    api.expect(page.locator("#preview")).to_be_visible()
    page.get_by_role("button", name="Keep…").first.click()
    page.fill("#asked", "edited")
    page.keyboard.press("Enter")
    api.expect(page.locator("#asked-hint")).to_contain_text("give another name")
    page.fill("#asked", "strict")
    page.keyboard.press("Enter")
    api.expect(page.locator("#timeline")).to_have_value("strict")
    api.expect(page.locator("#preview")).to_be_hidden()
    found = [s for s in served.segments(edited, "strict") if s[2] == "speech"]
    before = [s for s in served.segments(edited, "detected") if s[2] == "speech"]
    assert found == [s for s in before if s[1] - s[0] >= 9]


def test_learning_from_corrections_is_seen_after_a_reload(opened: Callable[..., Any], edited: str) -> None:
    job = {"id": "0123456789ab", "kind": "adapt", "model": "corrected-2", "state": "running", "progress": 0.0}
    found = {"recordings": 1, "seconds": {"speech": 60.0, "jingle": 0.0}}
    wished: list[Any] = []

    def answer(route: Any) -> None:
        if route.request.method == "POST":
            wished.append(route.request.post_data_json)
            route.fulfill(json=job, status=201)
        else:
            route.fulfill(json={**found, "job": job if wished else None})

    page = opened(edited)
    page.context.route("**/api/corrections**", answer)
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Corrections").click()
    api.expect(dialog.locator("caption")).to_have_text("From 1 recording")
    api.expect(dialog.locator("tbody tr")).to_have_text(["speech1 min 0 s", "jinglenone"])
    api.expect(dialog).to_contain_text("Correct a second one")
    page.get_by_role("button", name="Improve the model").click()
    api.expect(dialog).to_contain_text("Learning “corrected-2”")
    assert wished == [{}]
    page.reload()
    page.get_by_role("button", name="Corrections").click()
    api.expect(dialog).to_contain_text("Learning “corrected-2”")
    api.expect(page.get_by_role("button", name="Improve the model")).to_be_disabled()

    before, after = {"speech": 0.9, "music": 0.8}, {"speech": 0.925, "music": 0.79, "jingle": 0.6}
    none: dict[str, float] = {}
    for result, words in (
        ({"made": True, "before": before, "after": after}, "better at speech, but worse at music"),
        ({"made": True, "before": none, "after": none}, "could not be measured"),
        ({"made": False, "before": before, "after": before}, "Nothing was gained, and no model was made"),
    ):
        job |= {"state": "done", "result": {"left_out": 0, "notes": ["<b> is new"], **result}}
        page.reload()
        page.get_by_role("button", name="Corrections").click()
        api.expect(dialog).to_contain_text(words)
        api.expect(dialog.locator(".hint").last).to_have_text("<b> is new.")
        rows = ["speech90.092.5", "music80.079.0", "jingle–60.0"] if after is result["after"] else []
        api.expect(dialog.locator(".learning tbody tr")).to_have_text(rows)


def test_names_stay_text(opened: Callable[..., Any], served: Served) -> None:
    name = "<img src=x onerror=\"document.title='taken'\">.wav"
    made = served.ask(f"/api/recordings?name={quote(name)}", "POST", b"RIFF, but no sound in it at all")
    page = opened()
    page.locator(f"#recordings [data-id='{made['id']}'] .open").click()
    api.expect(page.locator("#recording-name")).to_have_text(name)
    api.expect(page.locator("#progress")).to_contain_text(re.compile(r"\w+ \w+"))
    assert page.locator("#recordings img, #workspace img").count() == 0
    assert "taken" not in page.title() or name in page.title()
    page.locator(f"#recordings [data-id='{made['id']}'] .remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    api.expect(page.locator(f"#recordings [data-id='{made['id']}']")).to_have_count(0)
    api.expect(page.locator("#welcome-title")).to_be_visible()


def test_a_token_is_asked_for_and_a_server_that_went_comes_back(browser: Any, tmp_path: Path) -> None:
    server = Served(tmp_path / "store", "--token", "a-token-of-the-house")
    try:
        page = browser.new_page()
        page.goto(server.url)
        page.fill("#token", "another")
        page.keyboard.press("Enter")
        api.expect(page.get_by_role("dialog")).to_contain_text("This is not the token")
        page.fill("#token", "a-token-of-the-house")
        page.keyboard.press("Enter")
        page.wait_for_selector("body.ready")
        server.close()
        api.expect(page.locator("#banner")).to_contain_text("The server is away")
        server = Served(tmp_path / "store", "--token", "a-token-of-the-house", port=server.port)
        api.expect(page.locator("#banner")).to_be_hidden(timeout=WAIT_MS)
    finally:
        server.close()


def test_a_phone_shows_it_without_scrolling_sideways(opened: Callable[..., Any], edited: str) -> None:
    page = opened(edited, has_touch=True)
    page.set_viewport_size({"width": 390, "height": 844})
    eventually(lambda: drawn(page, "waveform") > 1, True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.touchscreen.tap(*place(page, 0, 35))
    api.expect(page.locator("#picked-start")).to_have_value("0:30.000")


def test_a_segment_is_added_with_a_finger(opened: Callable[..., Any], served: Served, edited: str) -> None:
    page = opened(edited, has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 390, "height": 844})
    api.expect(page.locator("#picked")).to_contain_text("tap its lane where it starts, press In")
    page.touchscreen.tap(*place(page, 2, 70))
    page.locator("#edit-buttons").get_by_text("In", exact=True).tap()
    api.expect(page.locator("#picked")).to_contain_text("go to its other end")
    page.touchscreen.tap(*place(page, 0, 45))  # in a segment of another lane, too
    page.touchscreen.tap(*place(page, 2, 90))
    page.locator("#edit-buttons").get_by_text("Out", exact=True).tap()
    page.locator("#picked").get_by_role("button", name="Add").tap()

    def added() -> list[tuple[int, int]]:
        return [
            (round(start), round(end)) for start, end, label in served.segments(edited) if label == "noise"
        ]

    eventually(added, [(70, 90)])


def test_an_answer_that_comes_late_is_no_newer_than_the_news(
    opened: Callable[..., Any], served: Served
) -> None:
    page = opened()
    made: list[str] = []

    def late(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        made.append((told.get("recording") or told)["id"])
        eventually(lambda: served.ask(f"/api/recordings/{made[0]}")["state"], "done")
        page.wait_for_selector(f"#recordings [data-id='{made[0]}'] .shares")
        route.fulfill(response=answer)

    page.route("**/api/uploads/*/done*", late)
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Add files").first.click()
    with page.expect_response("**/api/uploads/*/done*"):
        choosing.value.set_files(PROGRAMME)
    page.wait_for_timeout(500)
    api.expect(page.locator(f"#recordings [data-id='{made[0]}'] .shares")).to_be_visible()
    served.ask(f"/api/recordings/{made[0]}", "DELETE")


def test_another_recording_is_opened_while_a_segment_is_picked(
    opened: Callable[..., Any], served: Served, edited: str
) -> None:
    other = served.ask("/api/recordings?name=other.wav", "POST", b"RIFF, but no sound in it at all")["id"]
    page = opened(edited)
    api.expect(page.locator("#segment-count")).to_have_text("4 segments")
    page.keyboard.press("n")
    api.expect(page.locator("#picked-start")).to_have_count(1)
    page.keyboard.press("Alt+ArrowRight")
    eventually(lambda: 10.01 in [start for start, *_ in served.segments(edited)], True)
    page.locator(f"#recordings [data-id='{other}'] .open").click()
    api.expect(page.locator("#recording-name")).to_have_text("other.wav")
    api.expect(page.locator("#timeline")).to_have_text("none yet")
    page.locator(f"#recordings [data-id='{edited}'] .open").click()
    api.expect(page.locator("#segment-count")).to_have_text("4 segments")
    api.expect(page.locator("#picked-start")).to_have_count(0)
    served.ask(f"/api/recordings/{other}", "DELETE")


def test_the_page_is_small_and_brings_nothing_from_elsewhere() -> None:
    files = [file for file in PAGE.iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 300_000
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), (
            file.name
        )
        assert not re.findall(r"https?://(?!www\.w3\.org/)\w", text), file.name
