"""Edits of the page on their way to a server that is slow, goes away, refuses, or whose answer is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

api = pytest.importorskip("playwright.sync_api")

CHROMIUM = Path("/usr/bin/chromium")
PAGE = Path(__file__).parents[1] / "src" / "earmark" / "server" / "page"
ORIGIN = "http://page.test"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium")

# A server that keeps timelines as the real one does; `server` says how it fares, `saved` what it took.
SERVER = """async () => {
    const { Marks } = await import("/page/marks.js");
    const S = (start, end, label = "speech") => ({ start, end, label });
    const key = (s) => `${s.start}-${s.end}`;
    const kept = {
        detected: { version: 1, segments: [S(1, 2), S(3, 4), S(5, 6)] },
        reference: { version: 1, segments: [S(1, 2), S(7, 8)] },
    };
    const server = { wait: 0, away: false, loses: 0, saved: [], kept };
    const done = new Map();
    const answer = (status, body) => new Response(JSON.stringify(body), { status });
    const edited = (recording, name, { id, remove, add }) => {
        if (done.has(id)) return answer(200, done.get(id));
        if (name === "detected") {
            name = "edited";
            kept.edited ??= { version: 1, segments: [...kept.detected.segments] };
        }
        const timeline = kept[name];
        const gone = remove.filter((r) => !timeline.segments.some((s) => key(s) === key(r)));
        if (gone.length) return answer(409, { error: "not there", name, missing: gone });
        const stays = timeline.segments.filter((s) => !remove.some((r) => key(s) === key(r)));
        timeline.segments = [...stays, ...add];
        timeline.version += 1;
        done.set(id, { name, version: timeline.version });
        server.saved.push(`${recording}/${name}: -${remove.map(key)} +${add.map(key)}`);
        return answer(200, done.get(id));
    };
    window.fetch = async (path, { body }) => {
        const [, recording, name, edits] = path.match(/recordings\\/(\\w+)\\/timelines\\/(\\w+)(\\/edits)?/);
        if (server.away) throw new TypeError("away");
        if (edits && server.wait) await new Promise((done) => setTimeout(done, server.wait));
        if (!edits) return answer(200, { name, ...kept[name], labels: ["speech"], duration: 100 });
        const told = edited(recording, name, JSON.parse(body));
        if (server.loses-- > 0) throw new TypeError("the answer is lost");
        return told;
    };
    const marks = new Marks();
    const told = [];
    marks.on("conflict", ({ changes }) => told.push(...changes.map(({ name }) => name)));
    marks.on("failed", (error) => told.push(error.message));
    const out = (segment, name) => marks.edit({ remove: [segment], add: [] }, name);
    Object.assign(window, { S, server, marks, told, out });
    window.quiet = async () => {
        while (marks.unsaved) await new Promise((done) => setTimeout(done, 20));
        await new Promise((done) => setTimeout(done, 50));
    };
    window.shown = () => `${marks.name} ${marks.version}: ${marks.track.all.map(key).join(" ")}`;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page with `marks`, which talk to a server made up."""

    def serve(route: Any) -> None:
        file = PAGE / route.request.url.rpartition("/")[2]
        if route.request.url.startswith(f"{ORIGIN}/page/"):
            route.fulfill(body=file.read_text(encoding="utf-8"), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    opened = browser.new_page()
    opened.route("**/*", serve)
    opened.goto(ORIGIN)
    opened.evaluate(SERVER)
    yield opened
    opened.close()


def run(page: Any, script: str) -> Any:
    """Run a script; return its answer, what was saved, and what people were told."""
    return page.evaluate(f"async () => {{ {script}; return [shown(), server.saved, told]; }}")


def test_an_edit_of_what_was_detected_shows_the_timeline_it_went_to(page: Any) -> None:
    shown, _, told = run(
        page,
        """await marks.open("a", "detected"); out(S(1, 2), "one"); await quiet();
        await marks.open("a", "detected"); out(S(5, 6), "two"); await quiet()""",
    )
    assert (shown, told) == ("edited 3: 3-4", [])


def test_edits_go_where_they_were_made_whatever_is_opened_next(page: Any) -> None:
    shown, saved, told = run(
        page,
        """server.wait = 100; await marks.open("a", "detected"); out(S(3, 4), "one"); out(S(1, 2), "two");
        await marks.open("a", "reference"); out(S(7, 8), "three"); await quiet()""",
    )
    assert (shown, told) == ("reference 2: 1-2", [])
    assert sorted(saved) == ["a/edited: -1-2 +", "a/edited: -3-4 +", "a/reference: -7-8 +"]


def test_edits_outlive_a_server_that_is_away_and_a_view_that_is_closed(page: Any) -> None:
    shown, saved, told = run(
        page,
        """await marks.open("a", "detected"); server.away = true; out(S(1, 2), "one");
        marks.close(); server.away = false;
        await marks.open("b", "reference"); server.wait = 50; out(S(7, 8), "two"); await quiet()""",
    )
    assert (shown, told) == ("reference 2: 1-2", [])
    assert sorted(saved) == ["a/edited: -1-2 +", "b/reference: -7-8 +"]


def test_only_what_is_refused_is_lost_and_what_followed_from_it(page: Any) -> None:
    shown, saved, told = run(
        page,
        """server.wait = 50; server.kept.edited = { version: 5, segments: [S(3, 4), S(5, 6)] };
        await marks.open("a", "detected");
        marks.edit({ remove: [S(1, 2)], add: [S(1, 1.5), S(1.5, 2)] }, "split");
        marks.edit({ remove: [S(1.5, 2)], add: [] }, "cut");
        out(S(3, 4), "one"); out(S(5, 6), "two"); await quiet()""",
    )
    assert (shown, told) == ("edited 7: ", ["split", "cut"])
    assert saved == ["a/edited: -3-4 +", "a/edited: -5-6 +"]
    assert page.evaluate("[marks.undo(), marks.undo(), marks.undo()]") == ["two", "one", None]


def test_an_edit_whose_answer_is_lost_is_made_once(page: Any) -> None:
    shown, saved, told = run(
        page,
        """await marks.open("a", "detected"); server.loses = 1;
        out(S(1, 2), "one"); out(S(3, 4), "two"); await quiet()""",
    )
    assert (shown, told) == ("edited 3: 5-6", [])
    assert saved == ["a/edited: -1-2 +", "a/edited: -3-4 +"]


def test_a_timeline_loaded_while_an_edit_is_on_its_way_holds_it_once(page: Any) -> None:
    shown, _, told = run(
        page,
        """await marks.open("a", "reference"); server.wait = 200;
        marks.edit({ remove: [S(1, 2)], add: [S(1, 3)] }, "longer");
        await marks.reload(); await quiet(); await marks.reload()""",
    )
    assert (shown, told) == ("reference 2: 1-3 7-8", [])


def test_channels_of_opposite_phase_do_not_vanish(page: Any) -> None:
    greatest = page.evaluate(
        """async () => {
            const { readWav } = await import("/page/wav.js");
            const [rate, seconds] = [100, 2];
            const data = new DataView(new ArrayBuffer(44 + 4 * rate * seconds));
            const write = (at, text) => [...text].forEach((c, i) => data.setUint8(at + i, c.charCodeAt(0)));
            write(0, "RIFF"); write(8, "WAVEfmt "); write(36, "data");
            data.setUint32(16, 16, true); data.setUint16(22, 2, true);
            data.setUint32(24, rate, true); data.setUint32(40, 4 * rate * seconds, true);
            for (let i = 0; i < rate * seconds; i++) {
                data.setInt16(44 + 4 * i, 8192, true);
                data.setInt16(46 + 4 * i, i < rate ? -8192 : 0, true);
            }
            const { mono } = readWav(data.buffer);
            return [mono[0], mono[rate - 1], mono[rate], mono.at(-1)];
        }"""
    )
    assert greatest == [0.25, 0.25, 0.125, 0.125]
