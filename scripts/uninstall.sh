#!/bin/sh
# Takes galaxy-pool away again: the services, the executable and what lies beside it.
# Data and configuration stay unless --purge is given. It needs no network.
{

BIN_DIR=/usr/local/bin

info() { printf '[INFO]  %s\n' "$1"; }
warn() { printf '[WARN]  %s\n' "$1" >&2; }

# what, why, and what to do
fatal() {
  printf '[ERROR] %s\n' "$1" >&2
  shift
  for line in "$@"; do [ -z "$line" ] || printf '        %s\n' "$line" >&2; done
  exit 1
}

usage() {
  cat <<'HELP'
usage: galaxy-pool-uninstall [options]

  --purge            also remove data and configuration; says first what is lost
  --only pool|node   only this service; the executable stays while the other one needs it
  --yes              do not ask (for scripts)
  --yes-i-lose       purge although money is owed, or although nobody can tell whether it is
HELP
}

has_word() { case " $1 " in *" $2 "*) return 0 ;; esac; return 1; }

read_options() {
  PURGE=no YES=no LOSE=no ONLY=''
  while [ $# -gt 0 ]; do
    case $1 in
      --purge) PURGE=yes ;;
      --yes | -y) YES=yes ;;
      --yes-i-lose) LOSE=yes ;;
      --only=*) ONLY=${1#*=} ;;
      --only)
        [ $# -gt 1 ] || fatal 'The value of --only is missing.' '' 'Write --only pool or --only node.'
        ONLY=$2
        shift
        ;;
      -h | --help) usage && exit 0 ;;
      *) fatal "There is no option $1." '' 'See: galaxy-pool-uninstall --help' ;;
    esac
    shift
  done
  case $ONLY in
    '' | pool | node) ;;
    *) fatal "There is no service \"$ONLY\"." '' 'Write --only pool or --only node.' ;;
  esac
}

# ROLES go, OTHERS stay. A role is here when its service or, for a purge, its data is.
find_roles() {
  ROOT=${INSTALL_GALAXY_ROOT:-}
  ROOT=${ROOT%/}
  UNITS=$ROOT/etc/systemd/system
  EXECUTABLE=$ROOT$BIN_DIR/galaxy-pool
  case $BIN_DIR in
    */bin) SHARE=$ROOT${BIN_DIR%/bin}/share ;;
    *) SHARE=$ROOT$BIN_DIR/share ;;
  esac
  ROLES='' OTHERS=''
  for role in pool node; do
    if [ -n "$ONLY" ] && [ "$ONLY" != "$role" ]; then
      [ ! -e "$UNITS/galaxy-$role.service" ] || OTHERS="$OTHERS $role"
    elif [ -e "$UNITS/galaxy-$role.service" ] || { [ "$PURGE" = yes ] && has_data "$role"; }; then
      ROLES="$ROLES $role"
    fi
  done
  [ -z "$ONLY" ] || [ -n "$ROLES" ] || fatal "There is no galaxy-$ONLY here." '' "Installed:${OTHERS:- nothing}."
}

# Under another root, systemd is another system's.
run_systemctl() {
  [ -z "$ROOT" ] || [ "${INSTALL_GALAXY_SKIP_START:-}" = no ] || return 0
  command -v systemctl >/dev/null || return 0
  systemctl "$@"
}

# --- what there is to lose ---

data_folders() {
  for place in "$ROOT/var/lib" "$ROOT/var/cache" "$ROOT/var/log" "$ROOT/run"; do
    for folder in "$place/galaxy-$1" "$place/private/galaxy-$1"; do
      [ ! -e "$folder" ] && [ ! -L "$folder" ] || printf '%s\n' "$folder"
    done
  done
  [ ! -e "$ROOT/etc/galaxy-$1" ] || printf '%s\n' "$ROOT/etc/galaxy-$1"
  [ ! -e "$UNITS/galaxy-$1.service.d" ] || printf '%s\n' "$UNITS/galaxy-$1.service.d"
}

has_data() { [ -n "$(data_folders "$1")" ]; }

is_initialised() {
  for file in operator.token pool.db node.key node.json; do
    [ ! -e "$ROOT/var/lib/galaxy-$1/$file" ] || return 0
  done
  [ "$1" = pool ] && [ -n "$(data_elsewhere)" ]
}

# The folder the configuration names, when it is not the one the installer made.
data_elsewhere() {
  named=$(sed -n 's/^[[:space:]]*data_dir:[[:space:]]*//p' "$ROOT/etc/galaxy-pool/config.yaml" 2>/dev/null |
    sed 's/^["'\'']//; s/["'\''].*//; s/[[:space:]]*$//; s|/$||' | head -n 1)
  case ${named#"$ROOT"} in
    '' | /var/lib/galaxy-pool | /var/lib/private/galaxy-pool) ;;
    *) printf '%s' "$named" ;;
  esac
}

# Whatever is mounted inside may be of the same file system, so no -xdev would stop before it.
refuse_mounts() {
  for folder in $(data_folders "$1"); do
    inside=$(awk -v folder="$folder/" 'index($5, folder) == 1 { print $5; exit }' /proc/self/mountinfo 2>/dev/null) || :
    [ -z "$inside" ] || fatal "Not purged: something is mounted at $inside." 'What is in there would be removed too.' \
      "Unmount it first: sudo umount $inside. Nothing has been changed."
  done
}

bytes_of() {
  total=0
  for folder in $(data_folders "$1"); do
    [ -L "$folder" ] || size=$(du -sb "$folder" 2>/dev/null | cut -f 1)
    [ -L "$folder" ] || total=$((total + ${size:-0}))
  done
  printf '%s' "$total"
}

# OWED in millionths of a USDT; empty when it cannot be told. Pool and node use the same words.
ask_owed() {
  OWED=''
  is_initialised "$1" || { OWED=0 && return 0; }
  if [ "$1" = pool ]; then set -- status --json; else set -- node status --json; fi
  if [ -n "$ROOT" ] && [ "$1" = status ]; then
    set -- "$@" --config "$ROOT/etc/galaxy-pool/config.yaml" --data "$ROOT/var/lib/galaxy-pool"
  elif [ -n "$ROOT" ]; then
    set -- "$@" --data "$ROOT/var/lib/galaxy-node"
  fi
  # The answer counts, not the exit code: an unhealthy pool still knows what it owes.
  answer=$(env -i PATH="$PATH" HOME="${HOME:-/root}" "$EXECUTABLE" "$@" </dev/null 2>/dev/null) || :
  for name in owed payable pending; do
    value=$(printf '%s\n' "$answer" | sed -n "s/.*\"${name}_micro_usdt\": *\"\{0,1\}\([0-9][0-9]*\).*/\1/p" | head -n 1)
    case $value in
      '' | ??????????????????*) OWED='' && return 0 ;;
    esac
    [ "$value" -le "${OWED:-0}" ] && [ -n "$OWED" ] || OWED=$value
  done
}

tell_loss() {
  BLOCKED=no
  for role in $ROLES; do
    refuse_mounts "$role"
    ask_owed "$role"
    info "galaxy-$role: $(bytes_of "$role") bytes of data, keys and configuration will be gone for good:"
    data_folders "$role" | sed 's/^/          /'
    if [ -z "$OWED" ]; then
      warn "galaxy-$role: nobody can tell how much money is owed (a $role tells while it runs: sudo systemctl start galaxy-$role)."
      BLOCKED=yes
    elif [ "$OWED" != 0 ]; then
      warn "galaxy-$role: $(printf '%d.%06d' $((OWED / 1000000)) $((OWED % 1000000))) USDT are owed $(owed_to "$role")."
      BLOCKED=yes
    else
      info "galaxy-$role: no money is owed."
    fi
  done
  if [ "$BLOCKED" = yes ] && [ "$LOSE" = no ]; then
    fatal 'Not purged: with the data goes the only proof of what is owed.' '' \
      'Pay first (galaxy-pool payout process, payout settle), or say it twice: add --yes-i-lose. Nothing has been changed.'
  fi
}

owed_to() {
  if [ "$1" = pool ]; then echo 'by this pool to its nodes'; else echo 'to this node; without its key nobody can change where it is paid'; fi
}

# --- asking ---

ask() {
  [ "$YES" = no ] || return 0
  ( : </dev/tty ) 2>/dev/null || fatal 'There is no terminal to ask on.' '' 'Add --yes to go on without a question. Nothing has been changed.'
  printf '%s [y/N] ' "$1" >/dev/tty
  read -r answer </dev/tty || answer=''
  case $answer in
    y | Y | yes | YES) ;;
    *) fatal 'Not uninstalled, as you said.' '' 'Nothing has been changed.' ;;
  esac
}

question() {
  what='galaxy-pool'
  case $ROLES in
    ' pool node') what='galaxy-pool and galaxy-node' ;;
    ' node') what='galaxy-node' ;;
  esac
  if [ "$PURGE" = yes ]; then echo "Remove $what and all its data?"; else echo "Remove $what? Data and configuration stay."; fi
}

# --- removing ---

stop_service() {
  [ -e "$UNITS/galaxy-$1.service" ] || return 0
  info "Stopping galaxy-$1."
  run_systemctl stop "galaxy-$1" || warn "galaxy-$1 did not stop cleanly."
  run_systemctl --quiet disable "galaxy-$1" || :
}

remove_service() {
  rm -f "$UNITS/galaxy-$1.service" "$UNITS/galaxy-$1.service.d/lan.conf" "$UNITS/galaxy-$1.service.d/wx.conf"
  rmdir "$UNITS/galaxy-$1.service.d" 2>/dev/null || :
  run_systemctl daemon-reload || :
  run_systemctl reset-failed "galaxy-$1" 2>/dev/null || :
}

# Only the folder itself: what else is mounted inside it is not ours, and a mount point stays, empty.
purge_data() {
  data_folders "$1" | while IFS= read -r folder; do
    if [ -L "$folder" ]; then
      case $(readlink "$folder") in
        private/*) ;;
        *) warn "$folder is a link to $(readlink "$folder"), which stays: remove it yourself." ;;
      esac
      rm -f "$folder"
      continue
    fi
    find "$folder" -xdev -depth -mindepth 1 -delete 2>/dev/null || :
    rmdir "$folder" 2>/dev/null || warn "$folder stays: something else is mounted there."
  done
}

tell_kept() {
  kept=$(data_folders "$1")
  [ -n "$kept" ] || return 0
  info "galaxy-$1: data and configuration stay ($(bytes_of "$1") bytes). A new installation takes them up again:"
  printf '%s\n' "$kept" | sed 's/^/          /'
}

remove_executable() {
  for link in "$ROOT$BIN_DIR/galaxy-cli" "$SHARE/bash-completion/completions/galaxy-cli"; do
    [ "$(readlink "$link" 2>/dev/null)" != galaxy-pool ] || rm -f "$link"
  done
  rm -f "$EXECUTABLE" "$SHARE/man/man8/galaxy-pool.8" "$SHARE/bash-completion/completions/galaxy-pool" \
    "$SHARE/zsh/site-functions/_galaxy-pool" "$SHARE/fish/vendor_completions.d/galaxy-pool.fish" \
    "$ROOT$BIN_DIR/galaxy-pool-uninstall"
  # What an installer that was killed left behind.
  find "$ROOT$BIN_DIR" -maxdepth 1 -type d -name '.galaxy-pool-install.*' -exec rm -rf {} + 2>/dev/null || :
}

# Folders the installer had to make go when nothing is left in them, the innermost first.
remove_folders() {
  list=$SHARE/galaxy-pool/folders-made
  [ -e "$list" ] || return 0
  # The root itself is an empty line.
  folders=$(sed 's|^$|/|' "$list" | sort -r)
  rm -f "$list"
  printf '%s\n' "$folders" | while IFS= read -r folder; do
    rmdir "$ROOT$folder" 2>/dev/null || :
  done
  rmdir "$SHARE/galaxy-pool" 2>/dev/null || :
}

remove_all() {
  for role in $ROLES; do
    elsewhere=''
    [ "$role" = node ] || elsewhere=$(data_elsewhere)
    [ -z "$elsewhere" ] || warn "The data in $elsewhere stays: your configuration chose that folder."
    stop_service "$role"
    remove_service "$role"
    if [ "$PURGE" = yes ]; then purge_data "$role"; else tell_kept "$role"; fi
  done
  if [ -n "$OTHERS" ]; then
    info "galaxy-$ONLY is removed; galaxy-${OTHERS# } stays."
    return 0
  fi
  remove_executable
  remove_folders
  info 'galaxy-pool is removed.'
}

set -euf
umask 077
export LC_ALL=C
read_options "$@"
find_roles
[ "$(id -u)" = 0 ] || [ -n "$ROOT" ] ||
  fatal 'This must run as root.' 'It stops a service and removes files.' 'Run: sudo galaxy-pool-uninstall'
[ "$PURGE" = no ] || tell_loss
ask "$(question)"
remove_all
}
