#!/usr/bin/env bash
# Makes the reports that come with the project, and the README's figures from them.
# The synthetic set has other cameras, stains and fields than the training sets of demo.sh. Where
# HER2_REAL_CORES names the folder of the real cores, crops of those which no training saw are
# evaluated too; no image of them is written.
set -euo pipefail
cd "$(dirname "$0")/.."
py=.venv/bin/python
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
  local name=$1 data=$2 fresh=data/runs/report-$1
  shift 2
  rm -rf "$fresh"
  $py -m training.evaluate --data "$data" --models "${models%,}" --out "$fresh" "$@"
  mkdir -p data/reports
  rm -rf "data/reports/$name"
  mv "$fresh" "data/reports/$name"
}

synthetic=data/runs/evaluation-synthetic
[ -f $synthetic/truth.csv ] || $py -m training.make_synthetic --out $synthetic \
  --per-class 150 --seed 9001 --variety 1.3 --field-um 50 300 --workers 2
report synthetic $synthetic --title "Fresh synthetic patches" --gallery 8

if [ -n "${HER2_REAL_CORES:-}" ]; then
  # the cores which demo.sh keeps out of every training
  held_out=$(sed -n 's/^held_out=//p' training/demo.sh)
  [ -n "$held_out" ] || { echo "training/demo.sh names no held-out cores." >&2; exit 1; }
  real=data/runs/evaluation-real-cores
  [ -f $real/truth.csv ] || $py -m training.crop_cores --cores "$HER2_REAL_CORES" --out $real \
    --per-core 100 --only "$held_out" --seed 9002 --unselected
  report real-cores $real --title "Crops of real cores left out" --gallery 0
fi

$py -m training.figures
