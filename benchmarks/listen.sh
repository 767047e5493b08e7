#!/usr/bin/env bash
# Measures listening, paced for half an hour and then a day as fast as it goes: benchmarks/listen.sh CORPUS/index.csv
# The programmes are mixed of the collections that configs/detector.toml holds out of training.
set -euo pipefail
index=${1:?give the corpus index, e.g. corpus/index.csv}
here=$(dirname "$0")
mapfile -t origins < <(python -c '
import sys
from pathlib import Path
from earmark.train.config import load_config
print(*load_config(Path(sys.argv[1])).data.holdout, sep="\n")' "$here/../configs/detector.toml")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
earmark mix --out "$folder" --index "$index" "${origins[@]/#/--origin=}" -n 6 -d 300 --seed 7
earmark bench listen "$folder"/*.wav --minutes 30 --hours 24 --goals "$here/goals.json" \
    --out "$here/results/listen.json"
