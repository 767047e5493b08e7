#!/usr/bin/env bash
# Measures the embedded detector again: benchmarks/run.sh CORPUS/index.csv [MODEL]
# The collections are those that configs/detector.toml holds out of training.
set -euo pipefail
index=${1:?give the corpus index, e.g. corpus/index.csv}
model=${2:-detector}
here=$(dirname "$0")
mapfile -t origins < <(python -c '
import sys
from pathlib import Path
from earmark.train.config import load_config
print(*load_config(Path(sys.argv[1])).data.holdout, sep="\n")' "$here/../configs/detector.toml")
mkdir -p "$here/results"
earmark bench detector --index "$index" "${origins[@]/#/--origin=}" --hours 2 --seed 7 --model "$model" \
    --goals "$here/goals.json" --out "$here/results/detector.json"
earmark bench clips --index "$index" --fold 1 --fold 2 --model "$model" --out "$here/results/clips.json"
earmark bench speed --hours 10 --model "$model" --goals "$here/goals.json" --out "$here/results/speed.json"
