#!/bin/sh
# Stands in for systemctl: remembers what it was asked, and which services run.
world='@WORLD@'
case $1 in is-active | show) ;; *) echo "$*" >>"$world/systemctl" ;; esac
[ "$1" != --quiet ] || shift
case $1 in
  is-active) cat "$world/active-$2" 2>/dev/null || { echo inactive; exit 3; } ;;
  start | restart)
    if grep -q "DOES NOT START" "$world/root/usr/local/bin/galaxy-pool"; then
      echo failed >"$world/active-$2"
      echo "Job for $2.service failed." >&2
      exit 1
    fi
    echo active >"$world/active-$2"
    [ "$2" != galaxy-pool ] || printf '{"plain":["http://127.0.0.1:1"],"secure":["https://[::]:8443"],"grpc":"[::]:50051","pid":1}\n' \
      >"$world/root/var/lib/galaxy-pool/listening.json"
    ;;
  show) cat "$world/$3" 2>/dev/null ;;
  stop) rm -f "$world/active-$2" ;;
esac
