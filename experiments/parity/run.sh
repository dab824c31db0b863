#!/usr/bin/env bash
# Trains a network on each renderer's images with each of three seeds, and lets it read both renderers' test images.
# About an hour on two cores; what is there already is not done again. Run from the project's root. Options for all trainings
# may follow, such as trainer.precision=auto.
set -euo pipefail
python=${PYTHON:-.venv/bin/python}
images='data.split={train:40000,val:2000,test:10000}'

for seed in 1 2 3; do
  for alphabet in digits lower_36; do
    for renderer in capbench captcha; do
      other=captcha
      if [ $renderer = captcha ]; then other=capbench; fi
      run=runs/parity/${alphabet}_${renderer}_$seed
      if [ ! -f $run/result.json ]; then
        $python -m capbench name=parity seed=$seed alphabet=$alphabet data.renderer=$renderer "$images" \
          optim.epochs=4 optim.lr=5e-3 logger=none hydra.run.dir=$run "$@"
      fi
      if [ ! -f $run/on_$other/result.json ]; then
        $python -m capbench evaluate run=$run alphabet=$alphabet data.renderer=$other "$images" out=$run/on_$other
      fi
    done
  done
done
$python experiments/parity/table.py runs/parity
