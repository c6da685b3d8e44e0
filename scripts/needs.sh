#!/bin/sh
# Installs the Debian packages the tests use, where they are missing: PostgreSQL, promtool, a stock
# Python gRPC client, protoc, systemd-analyze, libseccomp, minisign, ssh-keygen, groff, Go. Nothing is
# started: the tests start what they need on free ports.
set -eu

missing=""
for package in postgresql prometheus python3-grpcio python3-cryptography python3-protobuf protobuf-compiler \
  systemd python3-seccomp minisign openssh-client groff-base golang-go \
  golang-golang-x-mod-dev "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "needs.sh: this is no Debian; install yourself:$missing" >&2
  exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
  sudo="sudo -n"
  $sudo true 2>/dev/null || { echo "needs.sh: run as root: apt-get install$missing" >&2; exit 1; }
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod +x "$policy"
  trap '$sudo rm -f "$policy"' EXIT
fi
echo "needs.sh: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get -qq update
# shellcheck disable=SC2086
$sudo apt-get -qq install -y --no-install-recommends $missing >/dev/null
