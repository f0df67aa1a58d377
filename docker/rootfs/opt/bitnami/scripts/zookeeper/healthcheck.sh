#!/bin/bash
# What health checks of Bitnami's image call. `srvr` is answered even where `ruok` is not allowed.
seconds="${ZOO_HC_TIMEOUT:-5}"
for word in ruok srvr; do
    reply=$(echo "$word" | timeout "$seconds" nc -q 1 -w "$seconds" localhost "${ZOO_PORT_NUMBER:-2181}")
    case "$reply" in
    *imok* | *Mode:*) exit 0 ;;
    esac
done
echo "the server does not answer" >&2
exit 1
