"""Score made-up timelines with sed_eval 0.2.1 (numpy 2.4, dcase_util 0.2.20) into sed_eval_oracle.json.

sed_eval is no dependency of the tests; to repeat::

    python -m venv oracle && oracle/bin/pip install "setuptools<81" wheel
    oracle/bin/pip install --no-build-isolation sed_eval==0.2.1
    oracle/bin/python tests/data/make_sed_eval_oracle.py

Rows are onset, offset, label.  Counts are Ntp, Nfp, Nfn, Ntn; a ratio that sed_eval gives as NaN is null.
"""

import json
import math
from pathlib import Path

import numpy as np
import sed_eval

LABELS = ["music", "speech"]
# Collar, whether offsets count, percentage_of_length.
EVENTS = {
    "0.5 onset": (0.5, False, 0.0),
    "0.5 onset_offset": (0.5, True, 0.0),
    "1.0 onset": (1.0, False, 0.0),
    "1.0 onset_offset": (1.0, True, 0.0),
    "0.5 onset_offset 0.2": (0.5, True, 0.2),
}


def drawn(rng, seconds, n, decimals):
    """Draw segments of both labels that do not overlap within a label, but may touch."""
    rows = []
    for label in LABELS:
        times = np.unique(np.round(rng.uniform(0, seconds, 2 * n), decimals)).tolist()
        if rng.random() < 0.3:
            times = times[:1] + [t for t in times[1:-1] for _ in (0, 1)] + times[-1:]
        rows += [[a, b, label] for a, b in zip(times[::2], times[1::2], strict=False)]
    return sorted(rows)


def shaken(rng, rows, spread, decimals):
    """Move the ends of segments, many by exactly nothing or a collar; drop some, split some."""
    out = []
    for start, end, label in rows:
        if rng.random() < 0.15:
            continue
        parts = [(start, end)]
        if end - start > 2 and rng.random() < 0.3:
            parts = [(start, (start + end) / 2 - 0.3), ((start + end) / 2, end)]
        for a, b in parts:
            moves = [rng.choice([0.0, 0.5, -0.5, 1.0, -1.0, *rng.normal(0, spread, 5)]) for _ in (0, 1)]
            a, b = (round(max(0.0, float(t + move)), decimals) for t, move in zip((a, b), moves, strict=True))
            if b > a and not any(o[2] == label and a < o[1] and o[0] < b for o in out):
                out.append([a, b, label])
    return sorted(out)


def random_cases():
    rng = np.random.default_rng(7)
    for decimals in (2, 3, 6):
        for seconds, n, spread in ((8, 2, 0.3), (20, 4, 0.4), (30, 8, 0.4), (25, 20, 0.2), (12, 25, 0.1)):
            reference = drawn(rng, seconds, n, decimals)
            estimate = shaken(rng, reference, spread, decimals)
            yield {"name": f"{n} of {seconds} s, {decimals} decimals", "rows": [reference, estimate]}
        yield {
            "name": f"unrelated, {decimals} decimals",
            "rows": [drawn(rng, 15, 6, decimals), drawn(rng, 18, 9, decimals)],
        }


def degenerate_cases():
    one = [[1.0, 2.5, "speech"]]
    both = [[0.3, 3.29, "speech"], [2.07, 7.0, "music"]]
    steps = [[round(0.07 * i, 2), round(0.07 * i + 0.07, 2), "speech"] for i in range(40)]
    cases = {
        "nothing on either side": ([], []),
        "nothing to find": ([], one),
        "nothing reported": (both, []),
        "the other label reported": (one, [[1.0, 2.5, "music"]]),
        "the same": (both, both),
        "off by the collar": (both, [[0.8, 3.79, "speech"], [1.57, 6.5, "music"]]),
        "off by twice the collar": (both, [[1.3, 4.29, "speech"], [1.07, 6.0, "music"]]),
        "one against its pieces": ([[0.0, 2.8, "speech"]], steps),
        "pieces against one": (steps, [[0.0, 2.8, "speech"]]),
        "pieces against shifted pieces": (steps, [[a + 0.5, b + 0.5, label] for a, b, label in steps]),
        "shorter than a cell": ([[0.014, 0.016, "speech"]], [[0.012, 0.0199, "speech"]]),
        "reported behind the end": (one, [*one, [9.0, 12.0, "music"]]),
    }
    yield from ({"name": name, "rows": list(rows)} for name, rows in cases.items())
    yield {"name": "silence at the end", "rows": [both, one], "duration": 12.34}


def events(rows):
    return [{"onset": a, "offset": b, "event_label": label, "file": "x.wav"} for a, b, label in rows]


def metrics():
    segment = sed_eval.sound_event.SegmentBasedMetrics(LABELS, time_resolution=0.01)
    return segment, {
        name: sed_eval.sound_event.EventBasedMetrics(
            LABELS, evaluate_offset=offsets, t_collar=collar, percentage_of_length=share
        )
        for name, (collar, offsets, share) in EVENTS.items()
    }


def evaluate(case, segment, event):
    reference, estimate = (events(rows) for rows in case["rows"])
    segment.evaluate(reference, estimate, evaluated_length_seconds=case.get("duration"))
    for metric in event.values():
        metric.evaluate(reference, estimate)


def numbers(values):
    return [None if math.isnan(value) else float(value) for value in values]


def counts(metric, label):
    return [int(metric.class_wise[label].get(key, 0)) for key in ("Ntp", "Nfp", "Nfn", "Ntn")]


def ratios(metric, label):
    """Precision, recall, F and, of events, the rates of deletions, insertions and errors."""
    f = metric.class_wise_f_measure(label)
    found = [f["precision"], f["recall"], f["f_measure"]]
    if isinstance(metric, sed_eval.sound_event.EventBasedMetrics):
        rates = metric.class_wise_error_rate(label)
        found += [rates["deletion_rate"], rates["insertion_rate"], rates["error_rate"]]
    return numbers(found)


def overall(metric):
    f = metric.overall_f_measure()
    return numbers([f["precision"], f["recall"], f["f_measure"]])


def results(segment, event):
    every = {"segments": segment, **event}
    return {
        "counts": {name: [counts(metric, label) for label in LABELS] for name, metric in every.items()},
        "ratios": {name: [ratios(metric, label) for label in LABELS] for name, metric in every.items()},
        "overall": {name: overall(metric) for name, metric in every.items()},
        "accuracy": segment.overall_accuracy()["accuracy"],
    }


def main():
    cases = [*random_cases(), *degenerate_cases()]
    pooled = metrics()
    for case in cases:
        evaluate(case, *pooled)
        alone = metrics()
        evaluate(case, *alone)
        found = results(*alone)
        # Ratios follow from the counts; what has no value does not.
        case["counts"] = found["counts"]
        if not all(case["rows"]):
            case["ratios"] = found["ratios"]
    whole = {"sed_eval": sed_eval.__version__, "labels": LABELS, "pooled": results(*pooled)}
    lines = ",\n".join(json.dumps(case) for case in cases)
    path = Path(__file__).with_name("sed_eval_oracle.json")
    path.write_text(f'{json.dumps(whole)[:-1]}, "cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
