#!/bin/sh
# call.sh SOCKET URL: has the URL called by who listens at the socket, and waits for it.
printf '%s\n' "$2" | nc -U -W 1 "$1"
