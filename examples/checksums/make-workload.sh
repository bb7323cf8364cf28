#!/bin/sh
# Lists the files of a folder, one absolute path a line: a workload for checksums.
set -eu
if [ $# -ne 1 ] || [ ! -d "$1" ]; then
    echo "usage: make-workload.sh FOLDER" >&2
    exit 2
fi
folder=$(cd -- "$1" && pwd)
newline='
'
left_out=$(find "$folder" -type f -name "*$newline*" -printf x | wc -c)
[ "$left_out" -eq 0 ] || echo "left out: $left_out files with a line feed in their names" >&2
find "$folder" -type f ! -path "*$newline*" -print | LC_ALL=C sort
