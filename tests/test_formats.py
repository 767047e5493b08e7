"""Annotation formats: exact texts, round trips, foreign files, faults, atomic writing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.errors import AnnotationError, ConfigError, EarmarkError
from earmark.formats import FORMATS, dumps, format_of, loads, read, write
from earmark.formats.writing import to_units
from earmark.timeline import Segment, Timeline

ALL = list(FORMATS)
UNITS = {"csv": 1000, "rttm": 1000, "elan": 1000, "webvtt": 1000, "srt": 1000}
WITH_CONFIDENCE = {"csv", "json", "rttm", "jams"}
WITH_DURATION = {"json", "textgrid", "elan", "jams"}

SHOW = Timeline(
    (
        Segment(0.5, 2.0, "speech", 0.9, 6.0),
        Segment(1.25, 3.0, "music", 0.75),
    ),
    4.0,
    ("speech", "music", "noise"),
    "/shows/my show.wav",
    ("the file broke off",),
)

fast = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def timelines(draw: st.DrawFn, ticks_per_second: int) -> Timeline:
    """Timelines with times on a grid, touching and overlapping segments, and labels that need quoting."""
    names = st.sampled_from(["speech", "music", "été,\"'&<x>;", "音楽", "[x]", "#1"])
    labels = draw(st.lists(names, unique=True, max_size=3))
    segments = []
    for label in labels:
        edges = sorted(draw(st.lists(st.integers(0, 20_000), unique=True, max_size=8)))
        for start, end in pairwise(edges):
            if draw(st.booleans()):
                confidence = draw(st.none() | st.integers(0, 1000).map(lambda n: n / 1000))
                segments.append(Segment(start / ticks_per_second, end / ticks_per_second, label, confidence))
    last = max((s.end for s in segments), default=0.0)
    return Timeline(tuple(segments), last + draw(st.integers(1, 9)) / 10, tuple(labels))


def fault(action: Callable[[], object]) -> str | None:
    """Return the text of the AnnotationError that an action raises."""
    try:
        action()
    except AnnotationError as err:
        return str(err)
    return None


@pytest.mark.parametrize("name", ALL)
@fast
@given(data=st.data())
def test_writing_and_reading_is_identity_on_the_time_grid(name: str, data: st.DataObject) -> None:
    timeline = data.draw(timelines(1000))
    again = loads(dumps(timeline, name).encode(), name)
    assert [s.label for s in again] == [s.label for s in timeline]
    for found, given_ in zip(again, timeline, strict=True):
        assert found.start == pytest.approx(given_.start, abs=1e-8)
        assert found.end == pytest.approx(given_.end, abs=1e-8)
        if name in WITH_CONFIDENCE:
            assert found.confidence == given_.confidence
    if name in WITH_DURATION:
        assert again.duration == pytest.approx(timeline.duration, abs=1e-3)
        assert again.labels == timeline.labels


@pytest.mark.parametrize("name", ALL)
@fast
@given(data=st.data())
def test_rounding_never_makes_segments_empty_or_overlapping(name: str, data: st.DataObject) -> None:
    timeline = data.draw(timelines(3_333_333))
    text = dumps(timeline, name)
    # Were a row empty it would be left out with a warning; were two to overlap they would be joined.
    again = loads(text, name)
    assert again.warnings == ()
    unit = 1 / UNITS.get(name, 1_000_000)
    for label in timeline.labels:
        before, after = timeline[label].segments, again[label].segments
        assert len(after) >= sum(s.duration >= 2 * unit for s in before)
        for segment in after:
            assert any(
                abs(segment.start - s.start) < 1.6 * unit and abs(segment.end - s.end) < 1.6 * unit
                for s in before
            )
    again = Timeline(again.segments, again.duration, again.labels, timeline.source)
    assert loads(dumps(again, name), name).segments == again.segments


@pytest.mark.parametrize("name", ALL)
@fast
@given(
    label=st.text(st.characters(), max_size=6)
    | st.sampled_from(["a\tb", "a\nb", " a", "<NA>", "a] [b", "&lt"])
)
def test_a_label_comes_back_unchanged_or_is_refused(name: str, label: str) -> None:
    timeline = Timeline((Segment(1.0, 2.0, label),), 3.0)
    refused = fault(lambda: dumps(timeline, name))
    if refused is None:
        assert [s.label for s in loads(dumps(timeline, name).encode(), name)] == [label]
    else:
        assert f"cannot be written as {name}" in refused
        assert "\n" not in refused
        assert not label.isalnum()


@fast
@given(timeline=timelines(1000), source=st.none() | st.text(), warnings=st.lists(st.text(), max_size=2))
def test_json_restores_the_whole_timeline(
    timeline: Timeline, source: str | None, warnings: list[str]
) -> None:
    segments = tuple(Segment(s.start, s.end, s.label, s.confidence, s.start - 7) for s in timeline)
    whole = Timeline(segments, timeline.duration, timeline.labels, source, tuple(warnings))
    assert loads(dumps(whole, "json").encode(), "json") == whole


# -- exact texts -------------------------------------------------------------------------------------

EXACT = {
    "csv": "start,end,label,confidence\n0.500,2.000,speech,0.900\n1.250,3.000,music,0.750\n",
    "json": """{
 "source": "/shows/my show.wav",
 "duration": 4.0,
 "labels": ["speech", "music", "noise"],
 "shares": {"speech": 0.375, "music": 0.4375, "both": 0.1875, "neither": 0.375},
 "warnings": ["the file broke off"],
 "segments": [
  {"start": 0.5, "end": 2.0, "label": "speech", "confidence": 0.9, "speech_to_music_db": 6.0},
  {"start": 1.25, "end": 3.0, "label": "music", "confidence": 0.75, "speech_to_music_db": null}
 ],
 "overlaps": [
  {"start": 1.25, "end": 2.0, "speech_to_music_db": 6.0}
 ]
}
""",
    "rttm": "SPEAKER my_show 1 0.500 1.500 <NA> <NA> speech 0.900 <NA>\n"
    "SPEAKER my_show 1 1.250 1.750 <NA> <NA> music 0.750 <NA>\n",
    "audacity": "0.500000\t2.000000\tspeech\n1.250000\t3.000000\tmusic\n",
    "mirex": "0.500000\t2.000000\tspeech\n1.250000\t3.000000\tmusic\n",
    "webvtt": "WEBVTT\n\n00:00:00.500 --> 00:00:02.000\n[speech]\n\n00:00:01.250 --> 00:00:03.000\n[music]\n",
    "srt": "1\n00:00:00,500 --> 00:00:02,000\n[speech]\n\n2\n00:00:01,250 --> 00:00:03,000\n[music]\n",
}
EXACT_OF_SPEECH = {
    "textgrid": """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0 
xmax = 4 
tiers? <exists> 
size = 1 
item []: 
    item [1]:
        class = "IntervalTier" 
        name = "speech" 
        xmin = 0 
        xmax = 4 
        intervals: size = 3 
        intervals [1]:
            xmin = 0 
            xmax = 0.5 
            text = "" 
        intervals [2]:
            xmin = 0.5 
            xmax = 2 
            text = "speech" 
        intervals [3]:
            xmin = 2 
            xmax = 4 
            text = "" 
""",
    "elan": """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="earmark" DATE="1970-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
 <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
  <MEDIA_DESCRIPTOR MEDIA_URL="file:///shows/my%20show.wav" MIME_TYPE="audio/x-wav" />
  <PROPERTY NAME="earmark.duration_ms">4000</PROPERTY>
 </HEADER>
 <TIME_ORDER>
  <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="500" />
  <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2000" />
 </TIME_ORDER>
 <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="speech">
  <ANNOTATION>
   <ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
    <ANNOTATION_VALUE>speech</ANNOTATION_VALUE>
   </ALIGNABLE_ANNOTATION>
  </ANNOTATION>
 </TIER>
 <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true" />
</ANNOTATION_DOCUMENT>
""",
}


@pytest.mark.parametrize("name", EXACT)
def test_the_text_of_a_format_is_exact(name: str) -> None:
    assert dumps(SHOW, name) == EXACT[name]


@pytest.mark.parametrize("name", EXACT_OF_SPEECH)
def test_the_text_of_a_tier_format_is_exact(name: str) -> None:
    assert dumps(SHOW["speech"], name) == EXACT_OF_SPEECH[name]


def test_jams_has_one_segment_open_annotation_per_label() -> None:
    whole = json.loads(dumps(SHOW, "jams"))
    assert [(a["namespace"], a["sandbox"]["label"]) for a in whole["annotations"]] == [
        ("segment_open", "speech"),
        ("segment_open", "music"),
        ("segment_open", "noise"),
    ]
    assert whole["annotations"][0]["data"] == [
        {"time": 0.5, "duration": 1.5, "value": "speech", "confidence": 0.9}
    ]
    assert whole["file_metadata"]["duration"] == 4.0


@pytest.mark.parametrize("name", ["json", "elan", "jams"])
def test_formats_that_name_the_source_give_it_back(name: str) -> None:
    for source in (
        "/shows/my show.wav",
        "C:\\shows\\ü.mp3",
        "https://radio.example/a.mp3?x=1",
        "a/b.flac",
        None,
    ):
        timeline = Timeline((Segment(0.0, 1.0, "speech"),), source=source)
        expected = source.replace("\\", "/") if source and name == "elan" else source
        assert loads(dumps(timeline, name), name).source == expected


def test_csv_columns_are_selected_and_ordered() -> None:
    text = dumps(SHOW, "csv", columns=["label", "start", "duration", "speech_to_music_db", "source", "end"])
    assert text == (
        "label,start,duration,speech_to_music_db,source,end\n"
        "speech,0.500,1.500,6.00,/shows/my show.wav,2.000\n"
        "music,1.250,1.750,,/shows/my show.wav,3.000\n"
    )
    again = loads(text, "csv")
    assert again.source == SHOW.source
    assert again[0] == Segment(0.5, 2.0, "speech", None, 6.0)


@pytest.mark.parametrize("columns", [["start", "loudness"], [], ["start", "start"]])
def test_csv_refuses_columns_it_does_not_have(columns: list[str]) -> None:
    with pytest.raises(ConfigError, match="speech_to_music_db"):
        dumps(SHOW, "csv", columns=columns)


def test_json_tells_the_level_of_each_overlap_by_the_segment_that_overlaps_there_alone() -> None:
    def ratios(*segments: Segment) -> list[tuple[float, float]]:
        found = json.loads(dumps(Timeline(segments), "json"))["overlaps"]
        return [(overlap["start"], overlap["speech_to_music_db"]) for overlap in found]

    one = Segment(0, 9, "speech", None, 5.0), Segment(1, 2, "music", None, 20.0)
    assert ratios(*one) == [(1, 5.0)]
    assert ratios(*one, Segment(7, 10, "music", None, -5.0)) == [(1, 20.0), (7, -5.0)]
    bed = Segment(0, 9, "music", None, 5.0)
    talk = Segment(1, 2, "speech", None, 20.0), Segment(7, 10, "speech", None, -5.0)
    assert ratios(bed, *talk) == [(1, 20.0), (7, -5.0)]
    # The second talk is under the end of the bed and the start of the song.
    assert ratios(bed, *talk, Segment(9.5, 12, "music", None, 1.0)) == [(1, 20.0), (7, -5.0), (9.5, 1.0)]


def test_json_names_the_model_if_told() -> None:
    assert json.loads(dumps(SHOW, "json", model=("detector", "1")))["model"] == {
        "name": "detector",
        "version": "1",
    }
    assert "model" not in json.loads(dumps(SHOW, "json"))


def test_options_of_other_formats_are_refused() -> None:
    with pytest.raises(ConfigError, match="rttm has no option 'columns'; it takes none"):
        dumps(SHOW, "rttm", columns=["start"])


@pytest.mark.parametrize("name", [name for name in ALL if name != "textgrid"])
def test_a_timeline_without_segments_can_be_written(name: str) -> None:
    assert loads(dumps(Timeline(), name), name).segments == ()


def test_textgrid_refuses_a_timeline_of_no_duration() -> None:
    with pytest.raises(AnnotationError, match="0 s cannot be written as textgrid"):
        dumps(Timeline(), "textgrid")


@pytest.mark.parametrize(
    ("timeline", "message"),
    [
        (Timeline((Segment(0.0, 1.0, "speech", float("nan")),)), "confidence nan of 'speech' at 0.000 s"),
        (Timeline((Segment(0.0, 1.0, "speech", None, float("inf")),)), "speech_to_music_db inf"),
    ],
)
@pytest.mark.parametrize("name", ALL)
def test_values_that_are_not_finite_are_refused(name: str, timeline: Timeline, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        dumps(timeline, name)


def test_a_source_that_is_no_unicode_is_written_with_a_replacement() -> None:
    timeline = Timeline((Segment(0.0, 1.0, "speech"),), source="/a/b\udcff.wav")
    assert {name: "b?" in dumps(timeline, name) or "b%3F" in dumps(timeline, name) for name in ALL} == {
        name: name in ("json", "rttm", "elan", "jams") for name in ALL
    }


# -- rounding ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([(1.0001, 1.0003)], [(1000, 1001)]),
        ([(1.0001, 1.0003), (1.0004, 2.0)], [(999, 1000), (1000, 2000)]),
        ([(0.0001, 0.0002), (0.0003, 2.0)], [(0, 2000)]),
        ([(0.5, 1.0), (1.0001, 1.0002), (1.0003, 2.0)], [(500, 1000), (1000, 2000)]),
        ([(2.9998, 3.0)], [(2999, 3000)]),
        # A timeline lets segments overlap by a rounding error.
        ([(0.5, 1.50050000005), (1.50049999995, 2.0)], [(500, 1501), (1501, 2000)]),
    ],
)
def test_a_segment_below_the_resolution_keeps_one_unit_unless_it_would_collide(
    times: list[tuple[float, float]], expected: list[tuple[int, int]]
) -> None:
    timeline = Timeline(tuple(Segment(a, b, "speech") for a, b in times), 3.0)
    assert [(c.start, c.end) for c in to_units(timeline, 1000)] == expected


# -- oracles -----------------------------------------------------------------------------------------

HARD = Timeline(
    (
        Segment(0.0, 1.5, 'say "hi", été'),
        Segment(1.0, 2.25, "music"),
        Segment(2.25, 3.001, "music"),
    ),
    5.0,
    ('say "hi", été', "music", "noise"),
)


def test_praatio_opens_our_textgrid(tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    write(HARD, tmp_path / "a.TextGrid")
    grid = textgrid.openTextgrid(
        str(tmp_path / "a.TextGrid"), includeEmptyIntervals=False, reportingMode="error"
    )
    assert grid.tierNames == HARD.labels
    assert grid.maxTimestamp == 5.0
    for label in HARD.labels:
        intervals = [tuple(interval) for interval in grid.getTier(label).entries]
        assert intervals == [(s.start, s.end, s.label) for s in HARD[label]]


@pytest.mark.parametrize("form", ["short_textgrid", "long_textgrid"])
def test_what_praatio_saves_is_read(tmp_path: Path, form: Any) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    write(HARD, tmp_path / "a.TextGrid")
    grid = textgrid.openTextgrid(str(tmp_path / "a.TextGrid"), includeEmptyIntervals=False)
    grid.save(str(tmp_path / "b.TextGrid"), form, includeBlankSpaces=True)
    assert read(tmp_path / "b.TextGrid") == HARD


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pympi_opens_our_eaf(tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan")
    write(HARD, tmp_path / "a.eaf")
    document = elan.Eaf(str(tmp_path / "a.eaf"))
    assert list(document.get_tier_names()) == list(HARD.labels)
    for label in HARD.labels:
        found = [tuple(a[:3]) for a in document.get_annotation_data_for_tier(label)]
        assert sorted(found) == [(round(s.start * 1000), round(s.end * 1000), s.label) for s in HARD[label]]
    elan.to_eaf(str(tmp_path / "b.eaf"), document)
    assert read(tmp_path / "b.eaf") == HARD


@pytest.mark.filterwarnings("ignore")
def test_jams_validates_and_loads_our_jams(tmp_path: Path) -> None:
    jams = pytest.importorskip("jams")
    write(SHOW, tmp_path / "a.jams")
    loaded = jams.load(str(tmp_path / "a.jams"), validate=True, strict=True)
    assert loaded.file_metadata.duration == 4.0
    found = [tuple(o) for a in loaded.search(namespace="segment_open") for o in a.data]
    assert found == [(0.5, 1.5, "speech", 0.9), (1.25, 1.75, "music", 0.75)]
    loaded.save(str(tmp_path / "b.jams"))
    again = read(tmp_path / "b.jams")
    assert again.labels == SHOW.labels
    assert [(s.start, s.end, s.confidence) for s in again] == [(s.start, s.end, s.confidence) for s in SHOW]


# -- foreign files -----------------------------------------------------------------------------------

SHORT_GRID = '''File type = "ooTextFile"
Object class = "TextGrid"

0
2.5
<exists>
2
"IntervalTier"
"host"
0 2.5 ! on one line
2
0
1
"says ""hi"""
1
2.5
""
"TextTier"
"clicks"
0
2.5
1
1.5
"x"
'''
EAF = """<ANNOTATION_DOCUMENT><HEADER><MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/a%20b.wav"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="100"/><TIME_SLOT TIME_SLOT_ID="b"/>
<TIME_SLOT TIME_SLOT_ID="c" TIME_VALUE="900"/></TIME_ORDER>
<TIER TIER_ID="host">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="1" TIME_SLOT_REF1="a" TIME_SLOT_REF2="c">
<ANNOTATION_VALUE/></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="2" TIME_SLOT_REF1="a" TIME_SLOT_REF2="b">
<ANNOTATION_VALUE>x</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="gloss"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="3" ANNOTATION_REF="1">
<ANNOTATION_VALUE>y</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"""

RTTM = """;; by hand
SPKR-INFO a 1 <NA> <NA> <NA> unknown host <NA>
SPEAKER a 1 1.0 2.0 <NA> <NA> host -0.3
SPEAKER a 2	2.0 2.5 <NA> <NA> host <NA> <NA>
NON-SPEECH a 1 0 .5 <NA> music <NA> <NA>
speaker a 1 0 1 <NA> <NA> <NA> 1
"""
VTT = """WEBVTT - by hand
Kind: captions

NOTE all
of it

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start
<v speech></v>

01:00:00.000 --> 01:00:01.000
<v Ann>R&amp;B &lt;live&gt;</v>
"""
SRT = """1
00:00:01,000 --> 00:00:02,500 X1:0
{\\an8}<i>[music]</i>


00:00:03.5 --> 00:00:04,000
speech
and more
"""
JAMS = """{"annotations": [
{"namespace": "beat", "data": [{"time": 1, "duration": 0, "value": 1, "confidence": null}]},
{"namespace": "tag_open", "data": [{"time": 0.1, "duration": 0.2, "value": "speech", "confidence": 7}]}]}"""
JSON = """{"segments": [{"start": 0, "end": 2, "label": "speech", "more": 1},
{"start": 1, "end": 3, "label": "speech"}]}"""

FOREIGN: list[tuple[str, str, list[tuple[Any, ...]]]] = [
    (
        "csv",
        "Label, Confidence ,end,START\n music,,2,1\n\nspeech,0.5,1.5,0\n",
        [(0, 1.5, "speech"), (1, 2, "music")],
    ),
    ("csv", 'start,end,label\n0, 1, "a, b"\n', [(0, 1, "a, b")]),
    ("audacity", "0.0\t1.5\tspeech \n\\\t100.0\t200.0\n\n2\t2\there\n1\t3\tspeech\n", [(0, 3, "speech")]),
    ("audacity", "0.0\t1.0\tspeech\n1.0\t2.0\tspeech\n", [(0, 1, "speech"), (1, 2, "speech")]),
    (
        "mirex",
        "# onset offset label\n0.5 2 background music\n0\t1\tspeech\n",
        [(0, 1, "speech"), (0.5, 2, "background music")],
    ),
    ("rttm", RTTM, [(0, 0.5, "music"), (0, 1, "speech"), (1, 4.5, "host")]),
    ("webvtt", VTT, [(1, 2.5, "speech"), (3600, 3601, "R&B <live>")]),
    ("srt", SRT, [(1, 2.5, "music"), (3.5, 4, "speech and more")]),
    ("textgrid", SHORT_GRID, [(0, 1, 'says "hi"')]),
    ("elan", EAF, [(0.1, 0.9, "host")]),
    ("jams", JAMS, [(0.1, 0.3, "speech")]),
    ("json", JSON, [(0, 3, "speech")]),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("name", "text", "expected"), FOREIGN)
def test_files_of_other_programs_are_read(
    name: str, text: str, expected: list[tuple[Any, ...]], line_end: str, encoding: str
) -> None:
    data = text.replace("\n", line_end).encode(encoding)
    assert [(s.start, s.end, s.label) for s in loads(data, name)] == expected


def test_what_is_left_out_is_said_once_and_counted() -> None:
    timeline = loads("0\t0\ta\n1\t2\tspeech\n3\t3\t\n", "audacity", "x.txt")
    assert timeline.warnings == ("'x.txt' line 1: an entry without length was left out, and 1 more like it",)
    assert [w.split("was")[0] for w in loads(EAF, "elan", "x").warnings] == [
        "'x' annotation '2' of tier 'host': an annotation without times "
    ]


def test_a_duration_that_is_too_short_is_raised_with_a_warning() -> None:
    text = '{"duration": 1, "segments": [{"start": 0, "end": 2, "label": "speech"}]}'
    timeline = loads(text, "json", "x.json")
    assert timeline.duration == 2
    assert "stated duration of 1.000 s" in timeline.warnings[0]


# -- faults ------------------------------------------------------------------------------------------

GRID_HEAD = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2\n<exists>\n1\n"IntervalTier"\n"a"\n0\n2\n1\n'
)
FAULTS: list[tuple[str, str | bytes, str]] = [
    ("csv", "", "line 1: the header is missing"),
    ("csv", "0,1,speech\n", "line 1: the header lacks start, end, label, it is '0,1,speech'"),
    ("csv", "start,end,label,start\n", "line 1: the header has the column start more than once"),
    ("csv", "start,end,label\n\nx,1,speech\n", "line 3: start 'x' is not a number"),
    ("csv", "start,end,label\n1,inf,speech\n", "line 2: end 'inf' is not a number"),
    ("csv", "start,end,label\n1_0,20,speech\n", "line 2: start '1_0' is not a number"),
    ("csv", "start,end,label\n2,1,speech\n", "line 2: the end, 1 s, is before the start, 2 s"),
    ("csv", "start,end,label\n-1,1,speech\n", "line 2: start -1 s is below 0"),
    ("csv", "start,end,label\n0,1\n", "line 2: the label is empty"),
    ("csv", "start,end,label,confidence\n0,1,a,85\n", "line 2: confidence 85 is out of range; give 0 to 1"),
    ("csv", 'start,end,label\n0,1,"a\n', "line 2: no valid CSV"),
    ("csv", b"start,end,label\n0,1,\xff\n", "line 2: byte 20 is not UTF-8 text"),
    ("audacity", b"RIFF\x00\x00", "line 1: the file is binary"),
    ("audacity", "0 1 speech\n", "line 1: '0 1 speech' has no tab"),
    ("audacity", "0\t1\tspeech\n1\t2\t \n", "line 2: the label is empty"),
    ("mirex", "0.5\n", "line 1: '0.5' is one field"),
    ("mirex", "0\t1\ta\n1,5\t2\tb\n", "line 2: start '1,5' is not a number"),
    (
        "rttm",
        "SPEAKER a 1 0 1 <NA> <NA> x <NA> <NA>\nSPEAKER b 1 0 1 <NA> <NA> x <NA> <NA>\n",
        "line 2: a second recording, 'b'",
    ),
    ("rttm", "SPEAKER a 1 0 1\n", "line 1: 5 fields"),
    ("rttm", "hello world\n2\n", "line 1: 'hello' is no RTTM type"),
    ("rttm", "SPEAKER a 1 0 -1 <NA> <NA> x <NA> <NA>\n", "line 1: the end, -1 s, is before the start"),
    (
        "rttm",
        "SPEAKER a 1 0 1 <NA> <NA> x high <NA>\n",
        "line 1: confidence 'high' is not a number; give 0 to 1, or <NA>",
    ),
    ("webvtt", "00:01.000 --> 00:02.000\nspeech\n", "line 1: the header is missing"),
    ("webvtt", "WEBVTT\n\n00:01.000 --> soon\nspeech\n", "line 3: '00:01.000 --> soon' is no timing"),
    (
        "webvtt",
        "WEBVTT\n\n00:02.000 --> 00:01.000\nspeech\n",
        "line 3: the end, 1 s, is before the start, 2 s",
    ),
    ("webvtt", "WEBVTT\n\n1\n\n00:01.000 --> 00:02.000\nspeech\n", "line 3: a block without a timing"),
    ("srt", "1\n00:00:01,000 --> 00:00:75,000\nspeech\n", "line 2: minute 00 or second 75 is above 59"),
    ("srt", "1\n00:00:01,000 --> 00:00:02,000\n\n", "line 2: the label is empty"),
    ("srt", "speech\n", "line 1: 'speech' is no timing"),
    ("textgrid", "start,end\n", "line 1: no TextGrid in text form"),
    ("textgrid", 'File type = "ooTextFile"\nObject class = "Pitch 1"\n', "line 2: Praat object 'Pitch 1'"),
    ("textgrid", GRID_HEAD + '0\n2\n"speech', "line 15: a text is not closed"),
    (
        "textgrid",
        GRID_HEAD + '0\n"speech"\n2\n',
        "line 14: there is 'speech' where the end of an interval is expected",
    ),
    ("textgrid", GRID_HEAD + "0\n", "line 13: the file ends where the end of an interval is expected"),
    ("textgrid", GRID_HEAD + '2\n1\n"speech"\n', "line 13: the end, 1 s, is before the start, 2 s"),
    ("elan", "<ANNOTATION_DOCUMENT>\n<TIER>", "line 2: no valid XML"),
    ("elan", "<html/>", "XML element 'html'"),
    ("elan", EAF.replace('"900"', '"soon"'), "time slot 'c': time 'soon' is not a number; give milliseconds"),
    (
        "elan",
        EAF.replace('"900"', '"50"'),
        "annotation '1' of tier 'host': the end, 0.05 s, is before the start, 0.1 s",
    ),
    ("elan", EAF.replace('REF2="c"', 'REF2="d"'), "time slot 'd' does not exist"),
    ("json", '{"segments": [\n{"start": 0,}]}', "line 2: no valid JSON"),
    ("json", "[]", "no JSON object"),
    ("json", "[" * 100_000, "no usable JSON"),
    ("json", '{"segments": {}}', "'segments' is {}; it must be a list"),
    ("json", "{}", "'segments' is missing; it must be a list"),
    ("json", '{"segments": [3]}', "segment 1: 3 is no object"),
    ("json", '{"segments": [{"start": 0, "end": NaN, "label": "a"}]}', "segment 1: end nan is not a number"),
    (
        "json",
        '{"segments": [{"start": true, "end": 1, "label": "a"}]}',
        "segment 1: start True is not a number",
    ),
    (
        "json",
        '{"segments": [{"start": 0, "end": 1, "label": 7}]}',
        "segment 1: 'label' is 7; it must be a text",
    ),
    ("json", '{"segments": [], "duration": -1}', "duration -1 s is below 0"),
    ("json", '{"segments": [], "labels": [1]}', "'labels' is [1]; it must be a list of texts"),
    (
        "jams",
        '{"annotations": [{"data": [{"value": "a", "time": 0}]}]}',
        "annotation 1 observation 1: duration None is not a number",
    ),
    ("jams", "{}", "'annotations' is missing"),
]


@pytest.mark.parametrize(("name", "data", "message"), FAULTS)
def test_a_fault_is_told_with_file_and_place_in_one_line(name: str, data: str | bytes, message: str) -> None:
    with pytest.raises(AnnotationError) as caught:
        loads(data if isinstance(data, bytes) else data.encode(), name, "show.x")
    assert str(caught.value).startswith("'show.x'")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ALL)
@fast
@given(data=st.binary(max_size=60) | st.text(max_size=40).map(lambda t: t.encode()))
def test_junk_gives_a_timeline_or_an_annotation_error(name: str, data: bytes) -> None:
    message = fault(lambda: loads(data, name))
    assert message is None or message.startswith("'input'")


# -- choosing a format -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_every_suffix_selects_its_format_whatever_its_case(name: str) -> None:
    for suffix in FORMATS[name].suffixes:
        assert format_of(f"a.b{suffix.upper()}").name == name
        assert format_of(Path("a" + suffix.lower())).name == name


def test_no_suffix_belongs_to_two_formats() -> None:
    suffixes = [suffix.lower() for f in FORMATS.values() for suffix in f.suffixes]
    assert len(suffixes) == len(set(suffixes))


def test_a_named_format_overrides_the_suffix(tmp_path: Path) -> None:
    write(SHOW, tmp_path / "a.txt", "rttm")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == EXACT["rttm"]
    assert read(tmp_path / "a.txt", "RTTM")[0].confidence == 0.9


def test_unknown_suffixes_and_names_list_what_there_is() -> None:
    with pytest.raises(
        AnnotationError, match=r"'a\.doc': its suffix '\.doc' is not known; name one of csv \(\.csv\)"
    ):
        format_of("a.doc")
    with pytest.raises(AnnotationError, match="it has no suffix"):
        format_of("a")
    with pytest.raises(ConfigError, match="unknown format 'excel'; choose one of csv, json, rttm"):
        format_of("a.csv", "excel")


# -- files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_a_file_holds_utf8_with_lf_line_ends(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{FORMATS[name].suffixes[0]}"
    timeline = Timeline((Segment(0.0, 1.0, "été"),))
    write(timeline, path)
    assert path.read_bytes() == dumps(timeline, name).encode()
    assert b"\r" not in path.read_bytes()
    assert [s.label for s in read(path)] == ["été"]
    assert os.listdir(tmp_path) == [path.name]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(EarmarkError, match=r"a\.csv' cannot be written: No space left on device; "):
        write(SHOW, path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(SHOW, tmp_path / "a.csv")
    assert os.listdir(tmp_path) == []


def test_a_timeline_that_cannot_be_expressed_does_not_touch_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.rttm"
    path.write_text("old")
    with pytest.raises(AnnotationError, match="label 'two words' cannot be written as rttm"):
        write(Timeline((Segment(0.0, 1.0, "two words"),)), path)
    assert path.read_text() == "old"


def test_a_file_that_is_not_there_is_said_not_to_be_whatever_its_suffix(tmp_path: Path) -> None:
    for name in ("show", "show.csv", "show.mp3"):
        with pytest.raises(AnnotationError, match=f"cannot read '.*{name}': no such file or directory; "):
            read(tmp_path / name)


def test_places_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"cannot read '.*none\.csv': no such file or directory"):
        read(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(EarmarkError, match=r"'.*folder\.csv' cannot be written: a folder has this name"):
        write(SHOW, tmp_path / "folder.csv")
    assert os.listdir(tmp_path) == ["folder.csv"]


def test_folders_are_made_as_needed(tmp_path: Path) -> None:
    write(SHOW, tmp_path / "new" / "folder" / "a.csv")
    assert (tmp_path / "new" / "folder" / "a.csv").read_text() == EXACT["csv"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and links")
def test_replacing_a_file_keeps_its_permissions_and_follows_links(tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "link.csv").symlink_to(real)
    write(SHOW, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert real.read_text() == EXACT["csv"]
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a device file")
def test_a_device_is_written_to_and_not_replaced() -> None:
    write(SHOW, "/dev/null", "csv")
    assert not Path("/dev/null").is_file()
