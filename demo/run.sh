#!/bin/sh
# The first hour in a minute: make a filesystem, look inside, find a subvolume by UUID; then the same for an
# image that the kernel filled, and its files out of it. No root, no mount. Everything is made in a folder that goes away at the end.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

say() { printf '\n# %s\n' "$*"; }
run() {
  printf '$ %s\n' "$*"
  "$@"
}
first() { # first N COMMAND...: its first N lines, and how many there were
  lines=$1
  shift
  printf '$ %s\n' "$*"
  "$@" >out
  head -n "$lines" out
  printf '… (%s lines)\n' "$(wc -l <out | tr -d ' ')"
}
look() { # look IMAGE: superblock, trees, subvolumes, and the last subvolume by its UUID
  first 16 pybtrfs inspect dump-super "$1"
  first 12 pybtrfs inspect dump-tree -t uuid "$1"
  run pybtrfs subvolume list -u "$1"
  run pybtrfs uuid list "$1"
  uuid=$(pybtrfs uuid list "$1" | tail -n 1 | cut -d ' ' -f 1)
  run pybtrfs uuid lookup "$1" "$uuid"
}

say "A filesystem of our own, of 1 TiB in a sparse file"
run pybtrfs mkfs -b 1T -L made-by-pybtrfs ours.img
printf '$ du -h ours.img: %s\n' "$(du -h ours.img | cut -f 1)"
look ours.img

say "The same for an image that the kernel filled"
python "$here/unpack.py" "$here/../tests/golden/kernel.img.xz" kernel.img
look kernel.img
run pybtrfs subvolume show kernel.img:/home
first 14 pybtrfs --format json subvolume list kernel.img

say "Its files: looked at, and out of the image, each sector verified"
run pybtrfs tree -L 2 kernel.img
run pybtrfs ls -l kernel.img:/home
run pybtrfs cat kernel.img:/home/notes
run pybtrfs du -sh --exclusive kernel.img:/backup/home-1
run pybtrfs restore kernel.img:/home files
ls -l files
