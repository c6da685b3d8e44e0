#!/bin/sh
# Stands in for systemctl where the real executable is installed: it runs the services as plain
# processes of the sandbox, on free ports.
root='@WORLD@/root'
[ "$1" != --quiet ] || shift
pid=$(cat "$root/../pid-$2" 2>/dev/null)
case $1 in
  is-active) kill -0 "$pid" 2>/dev/null && echo active ;;
  stop | restart)
    kill "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    ;;
esac
case $1-$2 in
  start-galaxy-pool | restart-galaxy-pool)
    set -- serve --config "$root/etc/galaxy-pool/config.yaml" --data "$root/var/lib/galaxy-pool" \
      --set http.port=0 --set http.secure_port=0 --set 'server.address=[::]:0'
    name=galaxy-pool
    ;;
  start-galaxy-node | restart-galaxy-node)
    set -- node run --data "$root/var/lib/galaxy-node"
    name=galaxy-node
    ;;
  *) exit 0 ;;
esac
setsid "$root/usr/local/bin/galaxy-pool" "$@" >"$root/../log-$name" 2>&1 </dev/null 3>&- 9<&- &
echo $! >"$root/../pid-$name"
