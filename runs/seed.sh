#!/bin/sh
# The original experiment under three protocols; about 20 minutes on one core.
# runs/seed.sh FOLDER_WITH_GTZAN_ARRAYS [OUT [EPOCHS]]
set -eu
exec "${PYTHON:-python}" "$(dirname "$0")/seed.py" "${1:?folder with logmel_dev.npz, artists.tsv, audio/}" \
    "${2:-runs/out/seed}" "${3:-50}"
