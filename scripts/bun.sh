#!/bin/sh
# Runs the pinned Bun: the one npm put in place, its platform package where install scripts are
# switched off, or the one on PATH.
set -eu
cd "$(dirname "$0")/.."
case "$(uname -m)" in
  aarch64 | arm64) package=bun-linux-aarch64 ;;
  *) package=bun-linux-x64 ;;
esac
for bun in node_modules/.bin/bun "node_modules/@oven/$package/bin/bun" "$(command -v bun || true)"; do
  [ -n "$bun" ] && [ -x "$bun" ] || continue
  case "$("$bun" --version 2>/dev/null || true)" in
    [0-9]*.[0-9]*) exec "$bun" "$@" ;;
  esac
done
echo "bun.sh: no Bun found. Run \"npm install\" or \"bun install\" first." >&2
exit 1
