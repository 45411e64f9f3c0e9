#!/usr/bin/env bash
# Writes constraints.txt: the newest set that installs together, as tested by .ci/run.
# torch is held at the release whose wheel for the CPU pip finds by itself; a newer one would bring
# 3 GB of CUDA to every laptop.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q 'torch==2.13.0' -e '.[test,bench]'
"$folder/venv/bin/pip" check
{
  echo '# Made by tools/make_constraints.sh; do not edit.'
  "$folder/venv/bin/pip" freeze --exclude-editable --exclude twinkle-jupyter | sed 's/+cpu$//'
} > constraints.txt
