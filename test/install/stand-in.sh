#!/bin/sh
# Stands in for the executable where only the installer is looked at. @…@ is filled in by release.ts.
version='@VERSION@' world='@WORLD@'
echo "$*" >>"$world/calls"
data='' config='' name=''
words=$1
[ "$1" != node ] && [ "$1" != token ] && [ "$1" != config ] || words="$1 $2"
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=$2 ;;
    --config) config=$2 ;;
    --env-file) environment=$2 ;;
    --token-file) token=$2 ;;
    --bin-dir) bin=$2 ;;
    *.service | *.conf | *.8 | *-uninstall | bash | zsh | fish) name=$1 ;;
  esac
  shift
done
case $words in
  version) printf '{\n  "version": "%s"\n}\n' "$version" ;;
  completion) echo "# completion of $name" ;;
  files)
    case $name in
      '') printf 'file  mode\nlan.conf  0644\nnode-lan.conf  0644\nwx.conf  0644\n' ;;
      galaxy-pool-uninstall) sed "s|^BIN_DIR=.*|BIN_DIR=$bin|" '@UNINSTALL@' ;;
      *) printf '# %s @UNIT@\nExecStart=%s/galaxy-pool\n' "$name" "$bin" ;;
    esac
    ;;
  'config check')
    ! grep -q REFUSED "$environment" "$config" || { echo 'galaxy-pool: payout.threshold_usdt is no number' >&2; exit 2; }
    cp "$environment" "$world/checked.env"
    ;;
  init)
    mkdir -p "$data" "${config%/*}"
    echo "data_dir: $data" >"$config"
    [ ! -e "$world/init-fails" ] || { echo 'galaxy-pool: the data folder has vanished' >&2; exit 1; }
    echo secret >"$data/operator.token"
    printf '{\n  "ca_pin": "pinpinpin",\n  "created": true\n}\n'
    ;;
  'token create') printf '{\n  "token_id": "x",\n  "token": "GP1.pool.pin.id.secret.crc"\n}\n' ;;
  health) [ ! -e "$world/unhealthy-$version" ] || { echo 'the disk is full'; exit "$(cat "$world/unhealthy-$version")"; } ;;
  'node join')
    [ "$(cat "$token")" != GP1.pool.pin.id.wrong.crc ] || { echo 'galaxy-pool: the token is not known' >&2; exit 1; }
    echo key >"$data/node.key"
    printf '{\n  "poolId": "pool",\n  "addresses": [\n    "%s"\n  ]\n}\n' "$GALAXY_POOL_URL" >"$data/node.json"
    echo 'Joined: node n in pool pool.'
    ;;
  status | 'node status') cat "$world/status" ;;
esac
