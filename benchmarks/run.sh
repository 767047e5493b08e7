#!/usr/bin/env bash
# Measures the embedded detector again: benchmarks/run.sh CORPUS/index.csv [MODEL]
# The collections are those that configs/detector.toml holds out, but for mycroft: wake words in loud
# noise, whose pauses an energy rule cannot label.
set -euo pipefail
index=${1:?give the corpus index, e.g. corpus/index.csv}
model=${2:-detector}
here=$(dirname "$0")
origins=(
    watson kerstin riksweeney__edgar gm3__cc0-beats unknown-horizons__unknown-horizons
    C-C-Minetest-Server__phonograph_album_helena librosa__data thelaui__M.A.R.S. UltraStar-Deluxe__songs
    f90__jamendolyrics oatsu-gh__my-singing-voice-database cdda gsc picovoice-kitchen
)
mkdir -p "$here/results"
earmark bench detector --index "$index" "${origins[@]/#/--origin=}" --hours 2 --seed 7 --model "$model" \
    --goals "$here/goals.json" --out "$here/results/detector.json"
earmark bench clips --index "$index" --fold 1 --fold 2 --model "$model" --out "$here/results/clips.json"
earmark bench speed --hours 10 --model "$model" --goals "$here/goals.json" --out "$here/results/speed.json"
