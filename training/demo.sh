#!/usr/bin/env bash
# How the demonstration bundles are made, from nothing: about nine and a half hours on two idle cores with bfloat16.
#   training/demo.sh CORES FIELDS     CORES: folder of bozeklab/HER2-overexpression with cores.csv
#                                     FIELDS: real fields of breast with fields.csv (docs/external.md)
# The last stage, for other microscopes, takes about an hour and a half of that.
# Stopped and started again it goes on: finished sets stay, a training resumes at its last epoch.
set -euo pipefail
cd "$(dirname "$0")/.."
cores=${1:?name the folder of the real cores}
fields=${2:?name the folder of the real fields}
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
full=(--field-um 50 600)
small=(--size 112 --field-um 40 150)
make synthetic-train "${synthetic[@]}" --per-class 2200 --seed 1 "${full[@]}"
make synthetic-val "${synthetic[@]}" --per-class 120 --seed 2 "${full[@]}"
make synthetic-test "${synthetic[@]}" --per-class 250 --seed 3 --field-um 50 300
make small-train "${synthetic[@]}" --per-class 2500 --seed 21 "${small[@]}"
make small-val "${synthetic[@]}" --per-class 100 --seed 22 "${small[@]}"
# Patches for the last stages, which the stages before never saw; most of small fields.
make near-train "${synthetic[@]}" --per-class 3000 --seed 31 --field-um 50 320
make wide-train "${synthetic[@]}" --per-class 1500 --seed 41 "${full[@]}"
make near-train-2 "${synthetic[@]}" --per-class 2500 --seed 51 --field-um 50 320
make near-train-3 "${synthetic[@]}" --per-class 4000 --seed 61 --field-um 50 320
make wide-train-2 "${synthetic[@]}" --per-class 2000 --seed 71 "${full[@]}"
make near-train-4 "${synthetic[@]}" --per-class 2800 --seed 81 --field-um 50 320
make wide-train-3 "${synthetic[@]}" --per-class 1200 --seed 91 "${full[@]}"
make near-train-5 "${synthetic[@]}" --per-class 2800 --seed 101 --field-um 50 320
make wide-train-4 "${synthetic[@]}" --per-class 1600 --seed 111 "${full[@]}"
# For the very last: more of wide fields, on which DenseNet121 was behind the CNN.
make near-train-6 "${synthetic[@]}" --per-class 2000 --seed 121 --field-um 50 320
make wide-train-5 "${synthetic[@]}" --per-class 2200 --seed 131 --field-um 250 600

# Real cores in two halves, see training/halves.sh.
source training/halves.sh
crop=(training.crop_cores --data "$cores")
make real-a-0 "${crop[@]}" --per-core 260 --only $zero_a --seed 1
make real-a-1 "${crop[@]}" --per-core 700 --only $stained_a --seed 1 --recolour 0.66
make real-test-b "${crop[@]}" --per-core 150 --only $zero_b,$stained_b --seed 2 --unselected
make real-test-apart "${crop[@]}" --per-core 150 --seed 2 --unselected --contradicted

# train RUN ...: leaves best.weights.h5 and a file `finished` in the run's folder
train() {
  local run=$runs/$1
  shift
  [ -f "$run/finished" ] && return
  $py -m training.train --run "$run" "$@"
  touch "$run/finished"
}
mixed=(--validation $runs/synthetic-val
  --data "$runs/synthetic-train=0.66,$runs/real-a-0=0.1,$runs/real-a-1=0.24")
first_cnn=(--arch cnn --config training/recipes/demo_cnn.toml)
second_cnn=(--arch cnn --config training/recipes/demo_cnn_2.toml)
first_densenet=(--arch densenet121 --config training/recipes/demo_densenet_112.toml)
second_densenet=(--arch densenet121 --config training/recipes/demo_densenet_224.toml)
train cnn-1 "${first_cnn[@]}" --data $runs/synthetic-train --validation $runs/synthetic-val
train cnn-2a "${second_cnn[@]}" "${mixed[@]}" --start $runs/cnn-1/best.weights.h5
train densenet-1 "${first_densenet[@]}" --data $runs/small-train --validation $runs/small-val
train densenet-2a "${second_densenet[@]}" "${mixed[@]}" --start $runs/densenet-1/best.weights.h5

# The last stages: fresh patches first, then all of these nearly without augmentation, then for
# the CNN again fresh ones alone, twice.
real="$runs/real-a-0=0.06,$runs/real-a-1=0.14"
third="$runs/near-train=0.52,$runs/wide-train=0.26,$runs/real-a-0=0.07,$runs/real-a-1=0.15"
fourth="$runs/near-train-2=0.4,$runs/near-train=0.2,$runs/wide-train=0.2,$real"
last="$runs/near-train-2=0.32,$runs/near-train=0.2,$runs/wide-train=0.28,$real"
fresh="$runs/near-train-3=0.5,$runs/wide-train-2=0.3,$real"
fresher="$runs/near-train-4=0.5,$runs/wide-train-3=0.3,$real"
newest="$runs/near-train-5=0.5,$runs/wide-train-4=0.3,$real"
wider="$runs/near-train-6=0.4,$runs/wide-train-5=0.4,$real"
# stage RUN ARCH RECIPE DATA EARLIER OPTIONS...
stage() {
  train "$1" --arch "$2" --config "training/recipes/$3.toml" --data "$4" \
    --validation $runs/synthetic-val --start "$runs/$5/best.weights.h5" "${@:6}"
}
stage cnn-3a cnn demo_cnn_3 "$third" cnn-2a
stage cnn-4a cnn demo_cnn_4 "$fourth" cnn-3a
stage cnn-5a cnn demo_cnn_5 "$last" cnn-4a
stage cnn-6a cnn demo_cnn_5 "$last" cnn-5a --seed 21
stage cnn-7a cnn demo_cnn_6 "$fresh" cnn-6a
stage cnn-8a cnn demo_cnn_6 "$fresher" cnn-7a --seed 27
stage densenet-3a densenet121 demo_densenet_3 "$third" densenet-2a
stage densenet-4a densenet121 demo_densenet_4 "$last" densenet-3a
stage densenet-5a densenet121 demo_densenet_5 "$fresher" densenet-4a
stage densenet-6a densenet121 demo_densenet_6 "$fresher" densenet-5a

# bundle OTHER ARCH RUN BACKGROUND OUT: measured on the half that training did not see
bundle() {
  [ -d "$5" ] || $py -m training.make_bundle --demo --arch "$2" \
    --weights "$runs/$3/best.weights.h5" --background "$runs/$4" --out "$5" \
    --text "training/cards/demo_$2.toml" \
    --validation $runs/synthetic-val --test $runs/synthetic-test --cores-test $runs/real-test-"$1"
}
bundle b cnn cnn-8a wide-train-3 $runs/bundles-8a/cnn-8a
# The last stages of DenseNet121 go on from the weights as a bundle rounds them.
bundle b densenet121 densenet-6a wide-train-3 $runs/bundles-6a/densenet121-6a
last_densenet=(--arch densenet121 --config training/recipes/demo_densenet_7.toml)
train densenet-7a "${last_densenet[@]}" --data "$newest" \
  --validation $runs/synthetic-val --start $runs/bundles-6a/densenet121-6a
bundle b densenet121 densenet-7a wide-train-4 $runs/bundles-7a/densenet121-7a
train densenet-8a "${last_densenet[@]}" --data "$wider" --seed 41 \
  --validation $runs/synthetic-val --start $runs/bundles-7a/densenet121-7a
bundle b densenet121 densenet-8a near-train-6 $runs/bundles-8a/densenet121-8a

# Fit for other microscopes: the generator that knows breast, other scanners' and cameras' looks, white
# balance in front. From the rounded weights of the bundles before. The shipped run had 1,952 of the
# patches for DenseNet121's first part, 3,054 afterwards, and stopped that part after 3 of 10 epochs.
make breast-train "${synthetic[@]}" --per-class 765 --seed 401 --field-um 50 450
make breast-test "${synthetic[@]}" --per-class 80 --seed 9501 --field-um 50 300
make breast-val "${synthetic[@]}" --per-class 100 --seed 9201 --field-um 50 300
breast="$runs/breast-train=0.72,$runs/real-a-0=0.10,$runs/real-a-1=0.18"
train cnn-9a --arch cnn --config training/recipes/demo_cnn_9.toml --data "$breast" \
  --validation $runs/breast-val --start $runs/bundles-8a/cnn-8a
train densenet-9a --arch densenet121 --config training/recipes/demo_densenet_9.toml --data "$breast" \
  --validation $runs/breast-val --start $runs/bundles-8a/densenet121-8a
train densenet-10a --arch densenet121 --config training/recipes/demo_densenet_10.toml \
  --data "$breast" --validation $runs/breast-val --start $runs/densenet-9a/best.weights.h5
for each in cnn/cnn-9a densenet121/densenet-10a; do
  arch=${each%/*}
  [ -d "data/bundles/$arch-demo" ] || $py -m training.make_bundle --demo --arch "$arch" \
    --weights "$runs/${each#*/}/best.weights.h5" --validation $runs/breast-val \
    --test $runs/breast-test --background $runs/breast-test --cores-test $runs/real-test-b \
    --fields "$fields" --white-balance glass-1 --reading grid-1 --lift 0.6 \
    --text "training/cards/demo_$arch.toml" --out "data/bundles/$arch-demo"
done

# What the shipped network knows, so that it can say when an input is unlike it. Three held-out cores,
# one each of 0, 2+ and 3+, set the threshold; benchmarks.novelty measures on the others.
grep -q '"novelty"' data/bundles/densenet121-demo/card.json ||
  $py -m training.add_novelty --bundle data/bundles/densenet121-demo \
    --known $runs/breast-train,$runs/real-a-0,$runs/real-a-1 --microscopes 0.7 \
    --calibration $runs/real-test-b,$runs/breast-val --fields "$fields" --most 330 --others 110 \
    --calibration-groups aa1da043,0123a214,a1f1510c
