#!/usr/bin/env bash
# Trains one network on each renderer's images and lets it read both renderers' test images.
# About 20 minutes on two cores; what is there already is not done again. Run from the project's root.
set -euo pipefail
python=${PYTHON:-.venv/bin/python}
images='data.split={train:40000,val:2000,test:10000}'

for alphabet in digits lower_36; do
  for renderer in capbench captcha; do
    other=captcha
    if [ $renderer = captcha ]; then other=capbench; fi
    run=runs/parity/${alphabet}_$renderer
    if [ ! -f $run/result.json ]; then
      $python -m capbench name=parity alphabet=$alphabet data.renderer=$renderer "$images" \
        optim.epochs=4 optim.lr=5e-3 logger=none hydra.run.dir=$run
    fi
    if [ ! -f $run/on_$other/result.json ]; then
      $python -m capbench evaluate run=$run alphabet=$alphabet data.renderer=$other "$images" out=$run/on_$other
    fi
  done
done
$python experiments/parity/table.py runs/parity
