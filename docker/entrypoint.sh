#!/bin/sh
# A server (`docker run IMAGE msg`) or a tool with its arguments (`docker run IMAGE keys status`), in the place of this
# process, so that signals reach it.
set -eu
app=$(cd "$(dirname "$0")/.." && pwd)
name=${1:-}
case "$name" in
  '' | *[!a-z-]*) ;;
  *)
    shift
    for script in "$app/dist/servers/$name/main.js" "$app/dist/tools/$name.js"; do
      if [ -f "$script" ]; then exec node --enable-source-maps --v8-pool-size=1 "$script" "$@"; fi
    done
    ;;
esac
{
  echo "no server and no tool is called '$name'. Servers:"
  for script in "$app"/dist/servers/*/main.js; do basename "$(dirname "$script")"; done | sed 's/^/  /'
  echo "Tools:"
  for script in "$app"/dist/tools/*.js; do basename "$script" .js; done | grep -v -e '^gen-' -e '^postgres$' -e '^storage-target$' | sed 's/^/  /'
} >&2
exit 64
