#!/bin/sh
# Makes the secrets that compose.yaml and systemd hand to the servers, in docker/secrets or the folder that is named.
# What is there stays as it is. Keep a copy of master_key elsewhere: without it nobody reads the messages again.
set -eu
umask 077
to=${1:-$(dirname "$0")/secrets}
mkdir -p "$to"
cd "$to"

hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
put() {
  [ -e "$1" ] && return
  printf '%s\n' "$2" >"$1"
  # The folder is closed to others. The servers in containers have another user id, and get the files one by one.
  chmod 0444 "$1"
  echo "made $to/$1"
}

put cluster_secret "$(hex 32)"
put master_key "$(hex 32)"
put database_password "$(hex 24)"
put database_url "postgres://teamtalk:$(cat database_password)@postgres:5432/teamtalk"
put redis_password "$(hex 24)"
put redis_url "redis://:$(cat redis_password)@redis:6379/0"
put s3_secret_key "$(hex 24)"
put grafana_password "$(hex 12)"
