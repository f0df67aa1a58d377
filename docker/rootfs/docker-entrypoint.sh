#!/bin/sh
# Every image's way to start its server leads here; what is to be done is in the program.
case "$0" in
*/run.sh | */run) set -- "$0" "$@" ;;
esac
if [ "$$" -eq 1 ]; then
    exec tini -- zabra entrypoint "$@"
fi
exec zabra entrypoint "$@"
