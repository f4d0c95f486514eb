#!/bin/sh
# Says something over the HTTP interface, with curl and nothing else:
#   tools/examples/say.sh 1 2 "hello"        user 1 says it to user 2
# The address and a key with messages:send come from data/cluster.json of `npm start`, or from TT_API and TT_API_KEY.
set -eu
[ $# -eq 3 ] || { echo "usage: $0 FROM TO TEXT" >&2; exit 64; }
field() { sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p" data/cluster.json; }
api=${TT_API:-$(field httpMsg)} key=${TT_API_KEY:-$(field apiKey)}
text=$(printf '%s' "$3" | sed 's/\\/\\\\/g; s/"/\\"/g')
# By standard input: what stands in a command line, everybody on this machine can read.
printf 'header = "Authorization: Bearer %s"\n' "$key" | curl --silent --show-error --fail-with-body --config - \
  --header 'Content-Type: application/json' "$api/api/v1/messages" \
  --data "{\"from\": $1, \"to\": {\"user\": $2}, \"content\": {\"type\": \"text\", \"text\": \"$text\"}}"
echo
