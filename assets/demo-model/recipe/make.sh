#!/bin/sh
# From nothing to a checkpoint: make.sh WORK [OUT]. WORK is a scratch folder; OUT is assets/demo-model itself
# if it is not given. Needs node, npm, Python 3.11 or newer, 6 GB of disk and the network. On Linux the torch of
# PyPI brings CUDA along; PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu spares that.
set -eu
recipe=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
out=${2:-$(dirname "$recipe")}

cp "$recipe/package.json" "$work/"
(cd "$work" && npm install --ignore-scripts --no-audit --no-fund)
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet -r "$recipe/requirements.txt"
python="$work/venv/bin/python"

cd "$recipe"
node render.mjs "$work"
"$python" pictures.py "$work"
"$python" tokenizer.py "$work"
"$python" train_vision.py "$work"
"$python" train_text.py "$work"
"$python" evaluate.py "$work"
"$python" export.py "$work" "$out"
