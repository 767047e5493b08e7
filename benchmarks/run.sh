#!/usr/bin/env bash
# Measures the embedded detector again, or another model on the same programmes and clips:
# benchmarks/run.sh CORPUS/index.csv [MODEL [--no-codecs]]
# The collections are those that configs/detector.toml holds out of training.
set -euo pipefail
index=${1:?give the corpus index, e.g. corpus/index.csv}
model=${2:-detector}
options=("${@:3}")
here=$(dirname "$0")
mapfile -t origins < <(python -c '
import sys
from pathlib import Path
from earmark.train.config import load_config
print(*load_config(Path(sys.argv[1])).data.holdout, sep="\n")' "$here/../configs/detector.toml")
results=$here/results
if [[ $model != detector ]]; then
    results+=/$(basename "$model" .onnx)
fi
mkdir -p "$results"
earmark bench detector --index "$index" "${origins[@]/#/--origin=}" --hours 2 --seed 7 --model "$model" \
    --goals "$here/goals.json" --out "$results/detector.json" "${options[@]}"
earmark bench clips --index "$index" --fold 1 --fold 2 --model "$model" --out "$results/clips.json"
earmark bench speed --hours 10 --model "$model" --goals "$here/goals.json" --out "$results/speed.json"
