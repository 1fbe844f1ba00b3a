#!/usr/bin/env bash
# Makes the reports that come with the project, and the figures of docs/figures.md from them.
# The synthetic set has other cameras, stains and fields than the training sets of demo.sh. Where
# HER2_REAL_CORES names the folder of the real cores, crops of those which no training saw are
# evaluated too; no image of them is written.
set -euo pipefail
cd "$(dirname "$0")/.."
py=.venv/bin/python
runs=data/runs
export TF_CPP_MIN_LOG_LEVEL=2

shopt -s nullglob
cards=(data/bundles/*/card.json)
if [ "${#cards[@]}" -eq 0 ]; then
  echo "There is no bundle in data/bundles; training/demo.sh makes them." >&2
  exit 1
fi
models=$(printf '%s,' "${cards[@]%/card.json}")

# report NAME DATA OPTIONS...: replaces data/reports/NAME once the new report is whole
report() {
  local name=$1 data=$2 fresh=$runs/report-$1
  shift 2
  rm -rf "$fresh"
  $py -m training.evaluate --data "$data" --bundles "${models%,}" --out "$fresh" "$@"
  mkdir -p data/reports
  rm -rf "data/reports/$name"
  mv "$fresh" "data/reports/$name"
}

# patches NAME COMMAND...: write a set of patches, unless it is there already
patches() {
  local out=$runs/$1
  shift
  [ -f "$out/truth.csv" ] || $py -m "$@" --out "$out"
}

synthetic=(training.make_synthetic --per-class 150 --variety 1.3 --workers 2)
patches evaluation-synthetic "${synthetic[@]}" --seed 9001 --field-um 50 300
patches evaluation-wide "${synthetic[@]}" --seed 9003 --field-um 300 600
report synthetic $runs/evaluation-synthetic \
  --title "Fresh synthetic patches, other cameras, fields of 50 to 300 µm" --gallery 12
report synthetic-wide $runs/evaluation-wide \
  --title "Fresh synthetic patches, other cameras, fields of 300 to 600 µm" --gallery 0

if [ -n "${HER2_REAL_CORES:-}" ]; then
  source training/halves.sh
  crop=(training.crop_cores --data "$HER2_REAL_CORES" --per-core 100 --seed 9002 --unselected)
  patches evaluation-real-b "${crop[@]}" --only "$zero_b,$stained_b"
  patches evaluation-real-apart "${crop[@]}" --contradicted
  report real-cores $runs/evaluation-real-b \
    --title "Crops of six real cores left out of training" --gallery 0
  report real-cores-apart $runs/evaluation-real-apart \
    --title "Crops of three real cores whose stain contradicts their score" --gallery 0
fi

$py -m training.figures
