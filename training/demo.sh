#!/usr/bin/env bash
# How the demonstration bundles are made, from nothing: about two hours on two cores.
#   training/demo.sh CORES     CORES: folder of bozeklab/HER2-overexpression with cores.csv
# Stopped and started again it goes on: finished sets stay, a training resumes at its last epoch.
set -euo pipefail
cd "$(dirname "$0")/.."
cores=${1:?name the folder of the real cores}
py=.venv/bin/python
runs=data/runs
# glibc hands every large tensor back to the system at once; keeping them saves a third of the time
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000 TF_CPP_MIN_LOG_LEVEL=2

# make SET COMMAND...: run a command that writes the set, unless it is finished
make() {
  local out=$runs/$1
  shift
  [ -f "$out/truth.csv" ] || $py -m "$@" --out "$out"
}

# Synthetic patches: full fields for the CNN and the last stage, small fields for DenseNet's first.
synthetic=(training.make_synthetic --workers 2)
small=(--size 112 --field-um 40 150)
make synthetic-train "${synthetic[@]}" --per-class 2200 --seed 1
make synthetic-val "${synthetic[@]}" --per-class 120 --seed 2
make synthetic-test "${synthetic[@]}" --per-class 250 --seed 3
make small-train "${synthetic[@]}" --per-class 2500 --seed 21 "${small[@]}"
make small-val "${synthetic[@]}" --per-class 100 --seed 22 "${small[@]}"

# Crops of real cores; the cores of the test set are in no training set.
crop=(training.crop_cores --cores "$cores")
make real-train-0 "${crop[@]}" --per-core 260 --only a6d0d6a6,ccb66c10 --seed 1
make real-train-1 "${crop[@]}" --per-core 700 --only 154ae963,f8a2cea0,a5593c5e --seed 1 \
  --recolour 0.66
make real-small "${crop[@]}" --per-core 800 --only a6d0d6a6,ccb66c10,154ae963,f8a2cea0,a5593c5e \
  --seed 5 --recolour 0.66 "${small[@]}"
held_out=9b0f64d1,aa1da043,fb95908d,0123a214,da5928b4,a1f1510c
make real-test "${crop[@]}" --per-core 150 --only $held_out --seed 2 --unselected

mixed=$runs/synthetic-train=0.7,$runs/real-train-0=0.08,$runs/real-train-1=0.22
# train RUN ...: leaves best.weights.h5 and a file `finished` in the run's folder
train() {
  local run=$runs/$1
  shift
  [ -f "$run/finished" ] && return
  $py -m training.train --validation $runs/synthetic-val --data "$mixed" --run "$run" "$@"
  touch "$run/finished"
}
train cnn-1 --arch cnn --config training/recipes/demo_cnn.toml
train cnn-2 --arch cnn --config training/recipes/demo_cnn_2.toml \
  --start $runs/cnn-1/best.weights.h5
train densenet-1 --arch densenet121 --config training/recipes/demo_densenet_112.toml \
  --data $runs/small-train=0.72,$runs/real-small=0.28 --validation $runs/small-val
train densenet-2 --arch densenet121 --config training/recipes/demo_densenet_224.toml \
  --start $runs/densenet-1/best.weights.h5

bundle() {
  $py -m training.make_bundle --demo --validation $runs/synthetic-val --test $runs/synthetic-test \
    --background $runs/synthetic-train --cores-test $runs/real-test "$@"
}
bundle --arch cnn --weights $runs/cnn-2/best.weights.h5 \
  --text training/cards/demo_cnn.toml --out data/bundles/cnn-demo
bundle --arch densenet121 --weights $runs/densenet-2/best.weights.h5 \
  --text training/cards/demo_densenet121.toml --out data/bundles/densenet121-demo
