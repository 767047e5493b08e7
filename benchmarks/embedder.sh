#!/usr/bin/env bash
# Compare what an embedder learns from: benchmarks/embedder.sh INDEX DATASETS [RUNS]
#
# Trains three small embedders on the corpus with few steps, one by labels (recordings, kinds, contents), one by
# pairs of windows of one recording, one by both, and tries them with a tenth of the data of tasks of GRO.
set -euo pipefail
index=${1:?give the corpus index, e.g. corpus/index.csv}
datasets=${2:?give the folder of the datasets}
runs=${3:-runs}
here=$(dirname "$0")
pairs=(pairs_weight)
labels=(recordings_weight kinds_weight contents_weight)
learn() {
    local name=$1 changes=() without
    for without in "${@:2}"; do changes+=(--set "train.$without=0"); done
    earmark train "$here/../configs/embedder.toml" --data "$index" --out "$runs/$name" --cache "$runs/cache" \
        --set "name=$name" --set "network.widths=[24, 48, 96, 160]" --set train.steps=2000 "${changes[@]}"
    mkdir -p "$runs/embedders"
    cp "$runs/$name/$name.onnx" "$runs/embedders"
}
learn embedder-labels "${pairs[@]}"
learn embedder-pairs "${labels[@]}"
learn embedder-both
for task in field-recordings genre; do
    EARMARK_MODELS=$runs/embedders earmark bench embedder --data "$datasets" --on $task \
        --out "$here/results/embedder.json" --runs "$runs/tables"
done
