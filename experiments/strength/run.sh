#!/usr/bin/env bash
# The study of README.md, two sweeps side by side. Stopped at any moment, it goes on where it was.
# usage: experiments/strength/run.sh [FOLDER OF THE RUNS]
set -euo pipefail
cd "$(dirname "$0")/../.."
export RUNS=${1:-runs/strength} OMP_NUM_THREADS=1
export PYTHON=$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python)
export COMMON="+experiment=strength data.split.train=10000 optim.epoch_images=5000
  trainer.progress=false"
export SIZES="data.train_size=250,1000,2500,5000,10000" FEW="data.train_size=30,60,125"

# A network on the whole and without each ingredient that the style has; what needs cut characters, on the whole style.
# Where few images are enough, fewer; where cut characters are read sooner, these too without each ingredient.
sweeps() {
  cat <<END
default/cnn   style=default  +recognizer=cnn view.size=[30,80] style.without=null,rotation,warp,overlap,placement,lines,dots,contrast,fonts $SIZES
overlap/cnn   style=overlap  +recognizer=cnn view.size=[30,90] style.without=null,rotation,warp,overlap,placement,lines,dots,contrast,fonts $SIZES
clean/cnn     style=clean    +recognizer=cnn                   style.without=null,rotation,warp,placement,lines,dots,contrast $SIZES
clean/few     style=clean    +recognizer=cnn                   style.without=null,rotation,warp,placement,lines,dots,contrast $FEW
gradient/cnn  style=gradient +recognizer=cnn                   style.without=null,placement,contrast,fonts $SIZES
default/cut   style=default  +recognizer=mlp,knn style.without=null $SIZES
overlap/cut   style=overlap  +recognizer=mlp,knn style.without=null view=overlap $SIZES
clean/cut     style=clean    +recognizer=mlp,knn style.without=null view=clean $SIZES
gradient/cut  style=gradient +recognizer=mlp,knn style.without=null view=gradient $SIZES
gradient/part style=gradient +recognizer=knn style.without=placement,contrast,fonts view=gradient $SIZES
gradient/few  style=gradient +recognizer=knn style.without=null,placement,contrast,fonts view=gradient $FEW
END
}

one() {
  echo "$1: begins"
  mkdir -p "$RUNS/$1"
  $PYTHON -m capbench $COMMON "${@:2}" "hydra.sweep.dir=$RUNS/$1" >> "$RUNS/$1/log.txt" 2>&1 ||
    { echo "$1: failed, $RUNS/$1/log.txt says why"; return 1; }
  echo "$1: done"
}
export -f one

sweeps | xargs -P 2 -L 1 bash -c 'one "$@"' one
$PYTHON -m capbench compare runs="$RUNS" strength=true out="$RUNS/report"
cp "$RUNS"/report/strength.* experiments/strength/
