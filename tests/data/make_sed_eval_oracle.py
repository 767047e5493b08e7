"""Score made-up timelines with sed_eval 0.2.1 and store timelines and scores as sed_eval_oracle.json.

sed_eval is no dependency of the tests; to repeat::

    python -m venv oracle && oracle/bin/pip install "setuptools<81" wheel
    oracle/bin/pip install --no-build-isolation sed_eval==0.2.1
    oracle/bin/python tests/data/make_sed_eval_oracle.py
"""

import json
from pathlib import Path

import numpy as np
import sed_eval

LABELS = ("music", "speech")


def timeline(rng, seconds, n):
    """Draw segments of both labels; times end in 3 ms, so that no cell hangs on the bits of a float."""
    rows = []
    for label in LABELS:
        cells = np.sort(rng.choice(int(seconds * 100), size=2 * n, replace=False)).reshape(-1, 2)
        rows += [[round(a / 100 + 0.003, 3), round(b / 100 + 0.003, 3), label] for a, b in cells.tolist()]
    return rows


def shaken(rng, rows):
    """Move the ends of most segments a little, drop some, split some."""
    out = []
    for start, end, label in rows:
        if rng.random() < 0.15:
            continue
        parts = [(start, end)]
        if end - start > 2 and rng.random() < 0.3:
            parts = [(start, (start + end) / 2 - 0.3), ((start + end) / 2, end)]
        for a, b in parts:
            a, b = (max(0.0, t + float(rng.normal(0, 0.4))) for t in (a, b))
            a, b = (np.floor(t * 100) / 100 + 0.003 for t in (a, b))
            if b > a and not any(o[2] == label and a < o[1] and o[0] < b for o in out):
                out.append([round(float(a), 3), round(float(b), 3), label])
    return out


def events(rows):
    return [{"onset": a, "offset": b, "event_label": label, "file": "x.wav"} for a, b, label in rows]


def main():
    rng = np.random.default_rng(7)
    files = []
    for seconds, n in ((40, 4), (60, 8), (30, 3), (60, 20)):
        reference = timeline(rng, seconds, n)
        files.append({"reference": reference, "estimate": shaken(rng, reference)})
    files.append({"reference": [], "estimate": [[1.003, 2.503, "speech"]]})
    files.append({"reference": [[0.003, 3.503, "music"]], "estimate": []})

    segment = sed_eval.sound_event.SegmentBasedMetrics(list(LABELS), time_resolution=0.01)
    event = {
        f"{collar} {'on+off' if offsets else 'on'} {share}": sed_eval.sound_event.EventBasedMetrics(
            list(LABELS), evaluate_offset=offsets, t_collar=collar, percentage_of_length=share
        )
        for collar, offsets, share in (
            (0.5, True, 0.0),
            (1.0, True, 0.0),
            (0.5, False, 0.0),
            (0.5, True, 0.2),
        )
    }
    for file in files:
        reference, estimate = events(file["reference"]), events(file["estimate"])
        for metric in (segment, *event.values()):
            metric.evaluate(reference, estimate)

    def class_wise(metric):
        out = {}
        for label, scores in metric.results_class_wise_metrics().items():
            counts = {k: int(metric.class_wise[label][k]) for k in ("Ntp", "Nfp", "Nfn", "Ntn")}
            out[label] = {**counts, **scores["f_measure"], **scores["error_rate"]}
        return out

    result = {
        "sed_eval": sed_eval.__version__,
        "files": files,
        "segment": class_wise(segment),
        "event": {name: class_wise(metric) for name, metric in event.items()},
    }
    path = Path(__file__).with_name("sed_eval_oracle.json")
    path.write_text(json.dumps(result, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
