#!/bin/sh
# Stands for the command line of a container engine: notes in $ENGINE_LOG how it is called, and runs an image as a
# program of this machine. It cannot show what an engine does with its containers.
echo "$*" >>"$ENGINE_LOG"
if [ "$1" = --context ]; then shift 2; fi
case $1 in
run)
  for image; do :; done # the last argument
  case $image in
  absent:*)
    echo "docker: No such image: $image" >&2
    exit 125
    ;;
  esac
  KADBENCH_TARGET_PROGRAM=${image%%:*} exec "$ENGINE_PROGRAM"
  ;;
inspect) echo "$ENGINE_ADDRESS" ;;
esac
