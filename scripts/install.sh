#!/bin/sh
# Installs galaxy-pool as a systemd service, or upgrades what is there.
#
#   a pool   curl -fsSL URL/install.sh | sudo sh
#   a node   curl -fsSL URL/install.sh | sudo GALAXY_POOL_URL=HOST:50051 GALAXY_POOL_TOKEN=GP1… sh
#   options  curl -fsSL URL/install.sh | sh -s -- --help
#
# Nothing runs before its signature and its checksum were verified, and nothing is changed before the
# new executable has accepted the configuration that is in use.
{ # All of it stands in one pair of braces: a script that was cut short is no program, so no shell runs a part.

# A release writes its own values here.
RELEASE_VERSION=''
MINISIGN_KEY=''
SSH_KEY=''
BASE_URL='https://github.com/castle-palette/galaxy-node-pool/releases'

PUBLIC_URL='https://github.com/castle-palette/galaxy-node-pool/releases'
SIGNER='release@galaxy-pool'
NAMESPACE='galaxy-pool-release'
GRPC_PORT=50051
SEED_NAMES='NODE_MANAGEMENT_PORT DATABASE_URL MAX_NODES_PER_POOL PAYOUT_THRESHOLD_USDT POOT_CALCULATION_INTERVAL PAYOUT_PROCESSING_INTERVAL LOG_LEVEL'
UNSAVED_NAMES='GALAXY_POOL_URL GALAXY_POOL_TOKEN GALAXY_POOL_TOKEN_FILE GALAXY_POOL_VERSION GALAXY_POOL_CONFIG GALAXY_POOL_DATA GALAXY_POOL_STORAGE_DATA_DIR'

# --- saying things ---

info() { printf '[INFO]  %s\n' "$1"; }
warn() { printf '[WARN]  %s\n' "$1" >&2; }

# what, why, and what to do
fatal() {
  printf '[ERROR] %s\n' "$1" >&2
  SAID=yes
  shift
  for line in "$@"; do [ -z "$line" ] || printf '        %s\n' "$line" >&2; done
  exit 1
}

usage() {
  cat <<'HELP'
usage: install.sh [options]       (piped: curl -fsSL URL/install.sh | sudo sh -s -- [options])

  --version V          install version V (GALAXY_POOL_VERSION); alone: print this script's version
  --dry-run            say what would be done, and do nothing
  --profile NAMES      drop-ins of the service: lan, wx, "lan wx", or none (INSTALL_GALAXY_PROFILE)
  --from FOLDER        take the release's files from a folder, offline (INSTALL_GALAXY_FROM)
  --base-url URL       take them from another server (INSTALL_GALAXY_BASE_URL)
  --insecure-url       allow http beyond this machine (INSTALL_GALAXY_INSECURE_URL=yes)
  --skip-signature     go on where no signature can be verified (INSTALL_GALAXY_SKIP_SIGNATURE=yes);
                       checksums still count, and a wrong signature is never accepted
  --allow-downgrade    install an older version than the one in place (INSTALL_GALAXY_ALLOW_DOWNGRADE=yes)
  --role pool|node     what to install; the default is a node if GALAXY_POOL_URL is set, else what is
                       already here, else a pool (INSTALL_GALAXY_ROLE)
  --bin-dir FOLDER     where the executable goes (INSTALL_GALAXY_BIN_DIR; /usr/local/bin, /opt/bin if
                       that is read-only)
  --skip-enable        do not start it at boot (INSTALL_GALAXY_SKIP_ENABLE=yes)
  --skip-start         do not start it now (INSTALL_GALAXY_SKIP_START=yes)
  --arch ARCH          arm64 or x64 (INSTALL_GALAXY_ARCH)
  --root FOLDER        put the files under FOLDER and start nothing (INSTALL_GALAXY_ROOT)

GALAXY_POOL_URL=HOST[:PORT] and GALAXY_POOL_TOKEN=GP1… (or GALAXY_POOL_TOKEN_FILE) install a node.
GALAXY_POOL_<SECTION>_<KEY>, DATABASE_URL, LOG_LEVEL and the other names of the README are kept in
/etc/galaxy-pool/galaxy-pool.env. Proxies (https_proxy …) are used and not kept.
HELP
}

# --- what was asked ---

is_yes() { case $1 in yes | true | 1) return 0 ;; esac; return 1; }
has_word() { case " $1 " in *" $2 "*) return 0 ;; esac; return 1; }

read_environment() {
  BASE_URL=${INSTALL_GALAXY_BASE_URL:-$BASE_URL}
  FROM=${INSTALL_GALAXY_FROM:-}
  PIN=${GALAXY_POOL_VERSION:-}
  PROFILE=${INSTALL_GALAXY_PROFILE:-}
  ROLE=${INSTALL_GALAXY_ROLE:-}
  ROOT=${INSTALL_GALAXY_ROOT:-}
  BIN_DIR=${INSTALL_GALAXY_BIN_DIR:-}
  ARCH=${INSTALL_GALAXY_ARCH:-}
  INSECURE_URL=${INSTALL_GALAXY_INSECURE_URL:-no}
  SKIP_SIGNATURE=${INSTALL_GALAXY_SKIP_SIGNATURE:-no}
  ALLOW_DOWNGRADE=${INSTALL_GALAXY_ALLOW_DOWNGRADE:-no}
  SKIP_ENABLE=${INSTALL_GALAXY_SKIP_ENABLE:-no}
  SKIP_START=${INSTALL_GALAXY_SKIP_START:-}
  JOIN_URL=${GALAXY_POOL_URL:-}
  TOKEN=${GALAXY_POOL_TOKEN:-}
  TOKEN_FILE=${GALAXY_POOL_TOKEN_FILE:-}
  DRY=no
}

read_options() {
  while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
      --*=*)
        value=${option#*=}
        option=${option%%=*}
        set -- "$value" "$@"
        ;;
      --version)
        case ${1:--} in
          -*)
            printf 'install.sh %s\n' "${RELEASE_VERSION:-(not of a release)}"
            exit 0
            ;;
        esac
        ;;
    esac
    case $option in
      --dry-run) DRY=yes && continue ;;
      --insecure-url) INSECURE_URL=yes && continue ;;
      --skip-signature) SKIP_SIGNATURE=yes && continue ;;
      --allow-downgrade) ALLOW_DOWNGRADE=yes && continue ;;
      --skip-enable) SKIP_ENABLE=yes && continue ;;
      --skip-start) SKIP_START=yes && continue ;;
      -h | --help) usage && exit 0 ;;
    esac
    [ $# -gt 0 ] || fatal "The option $option is not known, or its value is missing." '' 'See: sh -s -- --help'
    case $option in
      --version) PIN=$1 ;;
      --profile) PROFILE=$1 ;;
      --from) FROM=$1 ;;
      --base-url) BASE_URL=$1 ;;
      --role) ROLE=$1 ;;
      --bin-dir) BIN_DIR=$1 ;;
      --arch) ARCH=$1 ;;
      --root) ROOT=$1 ;;
      *) fatal "There is no option $option." '' 'See: sh -s -- --help' ;;
    esac
    shift
  done
}

check_options() {
  BASE_URL=${BASE_URL%/}
  ROOT=${ROOT%/}
  PIN=${PIN#v}
  [ "$PIN" != latest ] || PIN=''
  [ -z "$PIN" ] || is_version "$PIN" ||
    fatal "\"$PIN\" is no version." 'GALAXY_POOL_VERSION or --version is written like 1.0.0.'
  # Files under another root are for another system: they get no keys, and nothing is started.
  [ -z "$ROOT" ] || [ "$SKIP_START" = no ] || SKIP_START=files
  for path in "$ROOT" "$BIN_DIR"; do
    case $path in
      '' | /*) ;;
      *) fatal "\"$path\" is no whole path." '' 'Write it from the root, such as /opt/bin.' ;;
    esac
  done
  case $ROOT$BIN_DIR in
    *[!A-Za-z0-9/._+-]*) fatal "The folder ${BIN_DIR:-$ROOT} has a character the service file cannot hold." '' 'Use letters, digits, ".", "_", "+" and "-".' ;;
  esac
  UNITS=$ROOT/etc/systemd/system
  [ -n "$FROM" ] || check_base_url
}

is_version() {
  case $1 in *[!0-9A-Za-z.-]*) return 1 ;; esac
  printf '%s\n' "$1" | grep -Eqx '[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}(-[0-9A-Za-z.-]+)?'
}

check_base_url() {
  case $BASE_URL in
    *[!][A-Za-z0-9:/._~%@+,=-]*) fatal "The base URL \"$BASE_URL\" has a character no URL of ours has." '' 'Write it like https://HOST/FOLDER.' ;;
    https://?*) return 0 ;;
    http://?*) is_loopback "$BASE_URL" || is_yes "$INSECURE_URL" || fatal \
      "The base URL $BASE_URL is not https." \
      'Whoever is in between could see and change what is downloaded.' \
      'Use https. If you trust the way there, add --insecure-url (INSTALL_GALAXY_INSECURE_URL=yes).' ;;
    *) fatal "The base URL \"$BASE_URL\" is no web address." '' 'Write it like https://HOST/FOLDER.' ;;
  esac
}

is_loopback() {
  host=${1#*://}
  host=${host%%/*}
  case $host in
    *@*) return 1 ;;
    localhost | localhost:* | '[::1]' | '[::1]':*) return 0 ;;
    127.*) host=${host%%:*}
      case $host in *[!0-9.]*) return 1 ;; esac
      return 0 ;;
  esac
  return 1
}

# ROLES: every service this run keeps in shape. ROLE: the one it is about.
choose_role() {
  ROLES=''
  for role in pool node; do
    [ ! -e "$UNITS/galaxy-$role.service" ] || ROLES="$ROLES $role"
  done
  INSTALLED_ROLES=$ROLES
  if [ -z "$ROLE" ]; then
    if [ -n "$JOIN_URL" ]; then ROLE=node
    elif has_word "$ROLES" pool || [ -z "$ROLES" ]; then ROLE=pool
    else ROLE=node
    fi
  fi
  case $ROLE in
    pool | node) ;;
    *) fatal "There is no role \"$ROLE\"." '' 'Write --role pool or --role node.' ;;
  esac
  has_word "$ROLES" "$ROLE" || ROLES="$ROLES $ROLE"
}

check_join() {
  NODE_DATA=$ROOT/var/lib/galaxy-node
  if [ "$ROLE" = pool ]; then
    [ -z "$TOKEN$TOKEN_FILE" ] || fatal 'GALAXY_POOL_TOKEN is set, but GALAXY_POOL_URL is not.' \
      'A token is for a node, and a node must know where its pool is.' \
      'Set GALAXY_POOL_URL=HOST:50051 too, or leave the token out to install a pool.'
    return 0
  fi
  [ -z "$JOIN_URL" ] || POOL_ADDRESS=$(address_of "$JOIN_URL") || { SAID=yes && exit 1; }
  [ -z "$TOKEN_FILE" ] || [ -n "$TOKEN" ] || TOKEN=$(head -n 1 "$TOKEN_FILE") ||
    fatal "The token file $TOKEN_FILE cannot be read." '' 'Check GALAXY_POOL_TOKEN_FILE.'
  check_token
  if [ -e "$NODE_DATA/node.json" ]; then check_membership; return 0; fi
  [ -n "$JOIN_URL" ] || fatal 'GALAXY_POOL_URL is not set.' 'A node must know where its pool is.' \
    'Set GALAXY_POOL_URL=HOST:50051 and GALAXY_POOL_TOKEN=GP1…'
  [ -n "$TOKEN" ] || fatal 'GALAXY_POOL_URL is set, but GALAXY_POOL_TOKEN is not.' \
    'A pool takes a node only with a token.' \
    'On the pool run: sudo galaxy-pool token create. Then set GALAXY_POOL_TOKEN (or GALAXY_POOL_TOKEN_FILE).'
}

# HOST, HOST:PORT, [IPv6]:PORT, also behind grpc://, grpcs:// or https://, as host:port.
address_of() {
  address=${1#grpc://}
  address=${address#grpcs://}
  case $1 in http://*) fatal "GALAXY_POOL_URL=$1 is plain http." 'A node and its pool speak TLS only.' 'Write GALAXY_POOL_URL=HOST:50051.' ;; esac
  address=${address#https://}
  address=${address%%/*}
  case $address in
    '['*']':*) host=${address%:*} port=${address##*:} ;;
    '['*']' | *:*:*) host=[$(printf '%s' "$address" | tr -d '[]')] port=$GRPC_PORT ;;
    *:*) host=${address%:*} port=${address##*:} ;;
    *) host=$address port=$GRPC_PORT ;;
  esac
  case $1 in https://*) port=$GRPC_PORT ;; esac
  case $host$port in
    *[!][A-Za-z0-9:._%-]*) host='' ;;
  esac
  case $port in
    '' | *[!0-9]* | ??????*) host='' ;;
    *) [ "$port" -ge 1 ] && [ "$port" -le 65535 ] || host='' ;;
  esac
  case $host in '' | '[]') fatal "GALAXY_POOL_URL=$1 is no address of a pool." '' 'Write HOST, HOST:PORT or [IPv6]:PORT.' ;; esac
  printf '%s:%s' "$host" "$port"
}

# Says nothing of the token itself: it is a secret.
check_token() {
  [ -n "$TOKEN" ] || return 0
  case $TOKEN in
    *[!A-Za-z0-9.]*) ;;
    GP1.?*.?*.?*.?*.?*) return 0 ;;
  esac
  fatal 'The join token is not whole.' 'It is one word of six parts with dots between, and begins with GP1.' \
    'Copy the whole line the pool printed, or make a new one there: sudo galaxy-pool token create'
}

check_membership() {
  [ -n "$TOKEN" ] || return 0
  joined=$(json_value poolId <"$NODE_DATA/node.json")
  wanted=${TOKEN#GP1.}
  wanted=${wanted%%.*}
  [ -z "$joined" ] || [ "$joined" = "$wanted" ] || fatal \
    "This machine is already a node of the pool $joined; the token is for $wanted." \
    'A node has one pool; what it earned stays payable there.' \
    'To move it: sudo galaxy-pool node leave, then paste the line again.'
}

# The text value of one key of a JSON document, which must not hold escapes.
json_value() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }

# --- the system ---

verify_system() {
  [ "$(uname -s)" = Linux ] || fatal 'This is not Linux.' 'galaxy-pool runs on Linux, arm64 and x86-64.' 'On other systems use the container image.'
  find_architecture
  for tool in sha256sum gzip mktemp grep sed; do
    command -v "$tool" >/dev/null || fatal "The command $tool is missing." '' "Install it, then run this again."
  done
  [ -n "$FROM" ] || find_downloader
  [ -z "$FROM" ] || FROM=$(CDPATH='' cd -- "$FROM" 2>/dev/null && pwd) ||
    fatal "The folder given with --from is not there." '' 'Give the folder with the files of a release.'
  [ -n "$ROOT" ] || verify_systemd
  [ "$DRY" = yes ] || [ -n "$ROOT" ] || [ "$(id -u)" = 0 ] ||
    fatal 'This must run as root.' 'It puts files into /usr/local and /etc, and starts a service.' \
      'Paste the line with "| sudo sh" at its end, or add --dry-run to see what it would do.'
  warn_of_memory
}

find_architecture() {
  case ${ARCH:-$(uname -m)} in
    x64 | x86_64 | amd64) ARCH=x64 ;;
    arm64 | aarch64)
      ARCH=arm64
      [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 64 ] || fatal_32_bit
      ;;
    arm*) fatal_32_bit ;;
    *) fatal "There is no galaxy-pool for ${ARCH:-$(uname -m)}." 'It runs on arm64 and x86-64.' ;;
  esac
}

fatal_32_bit() {
  fatal 'This system is 32 bit.' 'galaxy-pool needs a 64-bit system (arm64 or x86-64).' \
    'On a Raspberry Pi 3 or newer install the 64-bit Raspberry Pi OS.'
}

verify_systemd() {
  [ ! -d /run/systemd/system ] || ! command -v systemctl >/dev/null || return 0
  fatal 'systemd does not run here.' 'This script installs a systemd service.' \
    'In a container use the container image (Dockerfile.arm64); elsewhere run the executable by hand: galaxy-pool serve'
}

find_downloader() {
  if command -v curl >/dev/null; then DOWNLOADER=curl
  elif command -v wget >/dev/null; then
    DOWNLOADER=wget
    wget --version 2>/dev/null | grep -q '^GNU Wget' ||
      fatal 'This wget cannot be kept from following a redirect away from https.' '' 'Install curl (apt-get install curl), then run this again.'
    # wget reads the small names only.
    [ -z "${HTTPS_PROXY:-}" ] || export https_proxy="${https_proxy:-$HTTPS_PROXY}"
    [ -z "${HTTP_PROXY:-}" ] || export http_proxy="${http_proxy:-$HTTP_PROXY}"
    [ -z "${NO_PROXY:-}" ] || export no_proxy="${no_proxy:-$NO_PROXY}"
  else
    fatal 'Neither curl nor wget is here.' 'One of them fetches the release.' 'apt-get install curl, or use --from FOLDER.'
  fi
}

# The kernel of a Raspberry Pi switches the memory controller off unless told.
warn_of_memory() {
  if [ -e "$ROOT/sys/fs/cgroup/cgroup.controllers" ]; then
    grep -qw memory "$ROOT/sys/fs/cgroup/cgroup.controllers" && return 0
  elif [ -e "$ROOT/proc/cgroups" ]; then
    grep -Eq '^memory.*[[:space:]]1$' "$ROOT/proc/cgroups" && return 0
  else
    return 0
  fi
  cmdline=/boot/cmdline.txt
  [ ! -e "$ROOT/boot/firmware/cmdline.txt" ] || cmdline=/boot/firmware/cmdline.txt
  warn 'The kernel has no memory controller, so the memory limit of the service does not hold.'
  if [ -e "$ROOT$cmdline" ]; then
    warn "Add cgroup_enable=memory cgroup_memory=1 to the one line of $cmdline, then reboot."
  else
    warn 'Boot the kernel with cgroup_enable=memory cgroup_memory=1.'
  fi
}

# --- a private folder, and the way back ---

# The folder lies where the executable will be, so that the swap is one rename.
prepare_folders() {
  if [ "$DRY" = yes ]; then
    [ -n "$BIN_DIR" ] || BIN_DIR=/usr/local/bin
    TEMPORARY=$(mktemp -d "${TMPDIR:-/tmp}/galaxy-pool-install.XXXXXX")
  elif [ -n "$BIN_DIR" ]; then
    make_temporary "$BIN_DIR" || :
  else
    BIN_DIR=/usr/local/bin
    make_temporary "$BIN_DIR" || [ -e "$ROOT$BIN_DIR/galaxy-pool" ] || {
      BIN_DIR=/opt/bin
      make_temporary "$BIN_DIR" || :
    }
  fi
  [ -n "$TEMPORARY" ] || fatal "No folder can be made in $ROOT$BIN_DIR." "$(free_space "$ROOT$BIN_DIR")" \
    'Is the disk full or read-only? Name another folder with --bin-dir.'
  EXECUTABLE=$ROOT$BIN_DIR/galaxy-pool
  case $BIN_DIR in
    */bin) SHARE=$ROOT${BIN_DIR%/bin}/share ;;
    *) SHARE=$ROOT$BIN_DIR/share ;;
  esac
  if ! { mkdir "$TEMPORARY/files" "$TEMPORARY/kept" && : >"$TEMPORARY/undo" &&
    printf '%s' "$BIN_FOLDERS" >"$TEMPORARY/folders" && go_on && note_fresh; } 2>/dev/null; then
    fatal "No file can be made in $ROOT$BIN_DIR." "$(free_space "$ROOT$BIN_DIR")" 'Is the disk full? Nothing has been changed.'
  fi
}

make_temporary() {
  BIN_FOLDERS='' folder=$ROOT$1
  while [ ! -d "$folder" ]; do
    BIN_FOLDERS="$folder
$BIN_FOLDERS"
    folder=$(dirname "$folder")
  done
  ( umask 022 && mkdir -p "$ROOT$1" 2>/dev/null ) || return 1
  lock "$ROOT$1"
  TEMPORARY=$(mktemp -d "$ROOT$1/.galaxy-pool-install.XXXXXX" 2>/dev/null) || { TEMPORARY='' && return 1; }
}

# One at a time. What an installer that was killed left behind goes, once it is of no use any more.
lock() {
  if command -v flock >/dev/null; then
    exec 9<"$1"
    # Shells of the Korn family give a command no descriptor above 2 unless told.
    # One that was killed lets go a moment later.
    flock -n 9 9<&9 || { info 'Another installation is running; waiting for its end.' && flock -w 20 9 9<&9; } ||
      fatal 'Another installation is running.' '' 'Wait until it has ended, then run this again.'
  fi
  LEFT=''
  # shellcheck disable=SC2044
  for left in $(find "$1" -maxdepth 1 -type d -name '.galaxy-pool-install.*' 2>/dev/null); do
    if [ -s "$left/undo" ] || [ -s "$left/folders" ]; then LEFT="$LEFT $left"; else rm -rf "$left"; fi
  done
}

# An installer that was killed had begun to change things: what it had not come to is for this run.
go_on() {
  for left in $LEFT; do
    cat "$left/folders" >>"$TEMPORARY/folders"
    sed 's/^[^ ]* //' "$left/undo" | while read -r path; do rm -f "$path.new" "$path.old"; done
    find "$left" -mindepth 1 -depth ! -name undo ! -name folders ! -name fresh -exec rm -rf {} +
    # shellcheck disable=SC2013
    for role in $(cat "$left/fresh"); do
      others=''
      for one in $INSTALLED_ROLES; do [ "$one" = "$role" ] || others="$others $one"; done
      INSTALLED_ROLES=$others
    done
  done
}

note_fresh() {
  for role in $ROLES; do
    has_word "$INSTALLED_ROLES" "$role" || printf '%s\n' "$role"
  done >"$TEMPORARY/fresh"
}

free_space() { df -Pk "$1" 2>/dev/null | awk 'NR == 2 { printf "%d MB are free on %s.", $4 / 1024, $6 }' || :; }

hash_of() { { sha256sum <"$1"; } 2>/dev/null | cut -d ' ' -f 1; }

# put FILE TARGET MODE: changes a file in one step, and remembers what was there.
put() {
  if [ -f "$2" ] && [ ! -L "$2" ] && [ "$(hash_of "$1")" = "$(hash_of "$2")" ] && [ "$(stat -c %a "$2")" = "$3" ]; then
    return 0
  fi
  CHANGED="$CHANGED $2"
  if [ "$DRY" = yes ]; then would "write $2"; return 0; fi
  make_folder "${2%/*}" 755
  remember "$2"
  { cp "$1" "$2.new" && chmod "$3" "$2.new" && mv -f "$2.new" "$2"; } 2>"$TEMPORARY/why" || {
    rm -f "$2.new"
    fatal "$2 cannot be written." "$(cat "$TEMPORARY/why")" "$(free_space "${2%/*}")"
  }
}

put_link() {
  [ "$(readlink "$2" 2>/dev/null)" != "$1" ] || return 0
  if [ -e "$2" ] || [ -L "$2" ]; then warn "$2 is not ours, and stays."; return 0; fi
  CHANGED="$CHANGED $2"
  if [ "$DRY" = yes ]; then would "link $2 to $1"; return 0; fi
  make_folder "${2%/*}" 755
  remember "$2"
  ln -s "$1" "$2" || fatal "$2 cannot be made." '' "$(free_space "${2%/*}")"
}

make_folder() {
  [ ! -d "$1" ] || return 0
  make_folder "$(dirname "$1")" 755
  mkdir -m "0$2" "$1" || fatal "The folder $1 cannot be made." '' "$(free_space "$(dirname "$1")")"
  printf '%s\n' "$1" >>"$TEMPORARY/folders"
  printf 'folder %s\n' "$1" >>"$TEMPORARY/undo"
}

remember() {
  if [ -e "$1" ]; then
    KEPT=$((KEPT + 1))
    # The executable is large: a second name for it costs nothing.
    ln "$1" "$TEMPORARY/kept/$KEPT" 2>/dev/null || cp -p "$1" "$TEMPORARY/kept/$KEPT" ||
      fatal "A copy of $1 cannot be kept." '' "$(free_space "$TEMPORARY")"
    printf '%s %s\n' "$KEPT" "$1" >>"$TEMPORARY/undo"
  else
    printf 'remove %s\n' "$1" >>"$TEMPORARY/undo"
  fi
}

would() { printf '[INFO]  would %s\n' "$1"; }

# Runs on every way out, signals included.
clean_up() {
  status=$?
  trap - EXIT
  trap '' HUP INT TERM PIPE
  # Nothing ends the way back: not a full disk, and not a terminal that is gone.
  set +e
  [ "$status" != 1 ] && [ "$status" != 2 ] || [ "$SAID" = yes ] ||
    warn "The installation ended unexpectedly. $(free_space "${TEMPORARY:-/}")"
  [ -z "$TEMPORARY" ] || {
    [ "$COMMITTED" = yes ] || [ ! -s "$TEMPORARY/undo" ] || put_back
    rm -rf "$TEMPORARY"
  }
  [ "$COMMITTED" = yes ] || printf '%s' "$BIN_FOLDERS" | sed '1!G;h;$!d' | while read -r folder; do
    rmdir "$folder" 2>/dev/null || :
  done
  exit "$status"
}

# The last change is undone first.
put_back() {
  sed '1!G;h;$!d' "$TEMPORARY/undo" | while read -r kind path; do
    case $kind in
      remove) rm -f "$path" ;;
      folder) rmdir "$path" 2>/dev/null || : ;;
      tree) [ -e "$path/node.json" ] || [ -e "$path/operator.token" ] || rm -rf "$path" ;;
      *) { ln "$TEMPORARY/kept/$kind" "$path.old" 2>/dev/null || cp -p "$TEMPORARY/kept/$kind" "$path.old"; } && mv -f "$path.old" "$path" ;;
    esac || printf '[ERROR] %s could not be put back.\n' "$path" >&2
  done
  [ "$RELOADED" = no ] || systemctl daemon-reload || :
  for role in $RESTARTED; do
    if systemctl restart "galaxy-$role" && answers "$role"; then
      warn "galaxy-$role ${INSTALLED_VERSION:-} is back as it was, and runs."
    else
      warn "galaxy-$role ${INSTALLED_VERSION:-} is back as it was, but does not run: journalctl -u galaxy-$role"
    fi
  done
  [ -n "$RESTARTED" ] || warn 'What had been changed is back as it was.'
}

# --- fetching and verifying ---

# fetch URL FILE BYTES: https and nothing else, unless check_base_url let something else through.
fetch() {
  if is_loopback "$1"; then protocols='=http,https' redirects='=https' direct=yes
  elif is_yes "$INSECURE_URL"; then protocols='=http,https' redirects='=http,https' direct=no
  else protocols='=https' redirects='=https' direct=no
  fi
  # Where a server names no length, neither tool looks at one, and an answer without end would fill the disk.
  failed=0
  ( ulimit -f $(($3 / 512 + 1)) 2>/dev/null || :
    "fetch_with_$DOWNLOADER" "$1" "$2" "$3" ) 2>"$TEMPORARY/why" || failed=1
  if [ -e "$2" ] && [ "$(wc -c <"$2")" -gt "$3" ]; then
    echo "The answer is larger than $3 bytes." >"$TEMPORARY/why"
    failed=1
  fi
  return "$failed"
}

fetch_with_curl() {
  url=$1 file=$2 most=$3
  set -- --globoff --proto "$protocols" --proto-redir "$redirects" --max-redirs 10 --tlsv1.2 \
    --connect-timeout 20 --speed-limit 500 --speed-time 60 --retry 3 --retry-max-time 600 \
    --max-filesize "$most" --output "$file" --url "$url"
  [ "$direct" = no ] || set -- "$@" --noproxy '*'
  if [ "$PROGRESS" = yes ] && [ "$most" -gt 2000000 ]; then
    curl -fL --progress-bar "$@" 2>&3
  else
    curl -fsSL "$@"
  fi
}

# wget follows a redirect wherever it leads; so it may follow none, and we look at each.
fetch_with_wget() {
  url=$1 file=$2 hops=0 proxy=--proxy
  [ "$direct" = no ] || proxy=--no-proxy
  while [ "$hops" -lt 10 ]; do
    if wget "$proxy" --no-verbose --server-response --max-redirect=0 --timeout=30 --tries=3 \
      --output-document="$file" -- "$url" 2>"$TEMPORARY/headers"; then return 0; fi
    next=$(tr -d '\r' <"$TEMPORARY/headers" | sed -n 's/^ *[Ll]ocation: *\([^ ]*\).*/\1/p' | tail -n 1)
    case $next in
      '') grep -v '^  ' "$TEMPORARY/headers" >&2 || : ; return 1 ;;
      https://*) ;;
      http://*) case $redirects in *http,*) ;; *) echo "The server sends us away from https, to $next." >&2; return 1 ;; esac ;;
      /*) next=$(printf '%s' "$url" | sed 's|^\([a-z]*://[^/]*\).*|\1|')$next ;;
      *) echo "The server sends us to $next." >&2; return 1 ;;
    esac
    url=$next hops=$((hops + 1))
  done
  echo 'The server sends us around in circles.' >&2
  return 1
}

# get NAME BYTES: one file of the release, into the private folder.
get() {
  if [ -n "$FROM" ]; then
    cp "$FROM/$1" "$TEMPORARY/files/$1" 2>"$TEMPORARY/why" ||
      fatal "The file $1 cannot be taken from $FROM." "$(cat "$TEMPORARY/why")" "Put all files of the release there. $(free_space "$TEMPORARY")"
    return 0
  fi
  where=latest/download
  [ -z "$PIN" ] || where=download/v$PIN
  fetch "$BASE_URL/$where/$1" "$TEMPORARY/files/$1" "$2" || fatal "$BASE_URL/$where/$1 cannot be fetched." \
    "$(cat "$TEMPORARY/why")" "$(fetch_advice) Nothing has been changed."
}

fetch_advice() {
  if command -v ip >/dev/null && [ -z "$(ip -4 route show default 2>/dev/null)" ] && [ -n "$(ip -6 route show default 2>/dev/null)" ]; then
    echo 'This host has IPv6 only: if that server has not, set https_proxy, or name another with --base-url.'
  else
    echo "Check network, proxy (https_proxy) and version, or use --from FOLDER. $(free_space "$TEMPORARY")"
  fi
}

fetch_sums() {
  get SHA256SUMS 1000000
  if [ -n "$MINISIGN_KEY" ] && command -v minisign >/dev/null; then
    get SHA256SUMS.minisig 10000
    minisign -Vqm "$TEMPORARY/files/SHA256SUMS" -x "$TEMPORARY/files/SHA256SUMS.minisig" -P "$MINISIGN_KEY" \
      >"$TEMPORARY/why" 2>&1 || wrong_signature
    VERIFIED='minisign signature'
  elif [ -n "$SSH_KEY" ] && can_ssh_verify; then
    get SHA256SUMS.sig 10000
    printf '%s namespaces="%s" %s\n' "$SIGNER" "$NAMESPACE" "$SSH_KEY" >"$TEMPORARY/signers"
    ssh-keygen -Y verify -f "$TEMPORARY/signers" -I "$SIGNER" -n "$NAMESPACE" \
      -s "$TEMPORARY/files/SHA256SUMS.sig" <"$TEMPORARY/files/SHA256SUMS" >"$TEMPORARY/why" 2>&1 || wrong_signature
    VERIFIED='SSH signature'
  else
    is_yes "$SKIP_SIGNATURE" || unverifiable
    warn 'The signature is not verified, as you said. Checksums come from the same place as the files.'
    VERIFIED='checksums only'
  fi
}

can_ssh_verify() {
  command -v ssh-keygen >/dev/null || return 1
  ! ssh-keygen -Y verify 2>&1 </dev/null | grep -Eqi 'unknown|illegal|invalid' || return 1
}

unverifiable() {
  if [ -z "$MINISIGN_KEY$SSH_KEY" ]; then
    fatal 'This script has no key to verify the release with.' 'It is not the install.sh of a release.' \
      'Use the one from a release. Without verifying: --skip-signature (INSTALL_GALAXY_SKIP_SIGNATURE=yes).'
  fi
  fatal 'Nothing here can verify the signature of the release.' 'minisign or ssh-keygen (OpenSSH 8.2 or newer) is needed.' \
    'apt-get install openssh-client (or minisign). Without verifying: --skip-signature (INSTALL_GALAXY_SKIP_SIGNATURE=yes).'
}

wrong_signature() {
  fatal 'The signature of SHA256SUMS is wrong.' "$(head -n 3 "$TEMPORARY/why")" \
    'The release was changed after it was signed, or is not ours. Nothing has been changed. Please report it: see the README, Security.'
}

# The names in the signed list say which version it is.
read_release() {
  sums=$TEMPORARY/files/SHA256SUMS
  if [ ! -s "$sums" ] || grep -Evqx '[0-9a-f]{64}  [A-Za-z0-9][A-Za-z0-9._+-]*' "$sums"; then
    fatal 'SHA256SUMS is no list of checksums.' "It begins with: $(head -c 60 "$sums" | tr -c '[:print:]' ' ')" 'Check the base URL. Nothing has been changed.'
  fi
  [ -z "$(cut -c 67- "$sums" | sort | uniq -d)" ] ||
    fatal 'SHA256SUMS names a file twice.' "$(cut -c 67- "$sums" | sort | uniq -d | head -n 1)" 'The release is broken. Nothing has been changed.'
  VERSION=$(sed -n "s/^[0-9a-f]\{64\}  galaxy-pool-\(.*\)-linux-$ARCH\.gz\$/\1/p" "$sums")
  { [ "$(printf '%s\n' "$VERSION" | wc -l)" = 1 ] && is_version "$VERSION"; } || fatal \
    "The release has no one galaxy-pool for linux-$ARCH." "SHA256SUMS names: $(printf '%s' "${VERSION:-none}" | tr '\n' ' ')" 'Take another version. Nothing has been changed.'
  NAME=galaxy-pool-$VERSION-linux-$ARCH
  GZ_HASH=$(awk -v name="$NAME.gz" '$2 == name { print $1 }' "$sums")
  RAW_HASH=$(awk -v name="$NAME" '$2 == name { print $1 }' "$sums")
  [ -n "$RAW_HASH" ] || fatal "SHA256SUMS does not list $NAME." '' 'The release is broken. Nothing has been changed.'
  [ -z "$PIN" ] || [ "$PIN" = "$VERSION" ] ||
    fatal "Version $PIN was asked for, but the signed release is $VERSION." 'Somebody put one release in the place of another.' 'Check the base URL. Nothing has been changed.'
}

refuse_downgrade() {
  INSTALLED_VERSION='' INSTALLED_HASH=''
  if [ -x "$EXECUTABLE" ]; then
    INSTALLED_HASH=$(hash_of "$EXECUTABLE")
    INSTALLED_VERSION=$(galaxy "$EXECUTABLE" version --json 2>/dev/null | json_value version)
  fi
  is_yes "$ALLOW_DOWNGRADE" && return 0
  [ -z "$INSTALLED_VERSION" ] || ! is_older "$VERSION" "$INSTALLED_VERSION" || fatal \
    "Version $VERSION is older than $INSTALLED_VERSION, which is installed." \
    'An older version may not read the data of a newer one.' \
    'If you want it all the same: --allow-downgrade (INSTALL_GALAXY_ALLOW_DOWNGRADE=yes), after a copy of the data.'
  [ -n "$PIN" ] || [ -z "$RELEASE_VERSION" ] || ! is_older "$VERSION" "$RELEASE_VERSION" || fatal \
    "The release found is $VERSION, but this script is of $RELEASE_VERSION." \
    'Somebody may be serving an old release.' 'Pin what you want with --version, or add --allow-downgrade.'
}

# By the rules of semantic versions: 1.0.0-rc.1 is older than 1.0.0.
is_older() {
  [ "$1" != "$2" ] || return 1
  left=${1%%-*} right=${2%%-*}
  if [ "$left" != "$right" ]; then
    [ "$(printf '%s\n%s\n' "$left" "$right" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)" = "$left" ]
    return
  fi
  [ "$right" != "$2" ] || return 0
  [ "$left" != "$1" ] || return 1
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# Runs the executable with nothing of our environment.
galaxy() { env -i PATH="$PATH" HOME="${HOME:-/root}" "$@" </dev/null; }

get_executable() {
  if [ "$INSTALLED_HASH" = "$RAW_HASH" ]; then
    info "galaxy-pool $VERSION is already here ($VERIFIED verified), nothing to download."
    NEW=$EXECUTABLE
    return 0
  fi
  if [ "$DRY" = yes ]; then
    would "fetch $NAME.gz ($VERIFIED verified), check it against $GZ_HASH, and put it to $EXECUTABLE"
    NEW=''
    return 0
  fi
  info "Fetching galaxy-pool $VERSION for linux-$ARCH ($VERIFIED verified)."
  get "$NAME.gz" 400000000
  require_hash "$TEMPORARY/files/$NAME.gz" "$GZ_HASH" "$NAME.gz"
  gzip -dc <"$TEMPORARY/files/$NAME.gz" >"$TEMPORARY/galaxy-pool" 2>"$TEMPORARY/why" ||
    fatal "$NAME.gz cannot be unpacked." "$(cat "$TEMPORARY/why")" "$(free_space "$TEMPORARY") Nothing has been changed."
  rm -f "$TEMPORARY/files/$NAME.gz"
  require_hash "$TEMPORARY/galaxy-pool" "$RAW_HASH" "$NAME"
  NEW=$TEMPORARY/galaxy-pool
  chmod 755 "$NEW"
  try_executable
}

require_hash() {
  found=$(hash_of "$1")
  [ "$found" = "$2" ] || fatal "The checksum of $3 is wrong." "signed $2, found $found" \
    'The download was damaged or changed. Try again; if it stays so, report it. Nothing has been changed.'
}

try_executable() {
  told=$(galaxy "$NEW" version --json 2>"$TEMPORARY/why") || fatal "galaxy-pool $VERSION does not run on this machine." \
    "$(head -n 3 "$TEMPORARY/why")" 'It needs a 64-bit system with glibc. Nothing has been changed.'
  told=$(printf '%s\n' "$told" | json_value version)
  [ "$told" = "$VERSION" ] || fatal "The executable says it is version \"$told\", the signed list says $VERSION." '' \
    'The release is broken. Nothing has been changed.'
}

# --- configuration ---

# What is set in our environment now wins, what the file holds stays.
stage_environment() {
  for role in $ROLES; do
    collect_names "$role"
    old=$ROOT/etc/galaxy-$role/galaxy-$role.env new=$TEMPORARY/galaxy-$role.env done_names=''
    {
      if [ -r "$old" ]; then merge_environment <"$old"
      else echo "# Environment of galaxy-$role.service. Kept by the installer; your own lines stay. It may hold secrets: mode 0600."
      fi
      for name in $NAMES; do has_word "$done_names" "$name" || environment_line "$name"; done
    } >"$new"
  done
}

collect_names() {
  NAMES=''
  [ "$1" = "$ROLE" ] || return 0
  if [ "$1" = node ]; then
    [ -z "${LOG_LEVEL:-}" ] || NAMES=LOG_LEVEL
    return 0
  fi
  for name in $SEED_NAMES $(env | sed -n 's/^\(GALAXY_POOL_[A-Z][A-Z0-9]*_[A-Z0-9_]*\)=.*/\1/p' | sort -u); do
    eval "value=\${$name:-}"
    [ -z "$value" ] || has_word "$UNSAVED_NAMES" "$name" || NAMES="$NAMES $name"
  done
  [ -z "${GALAXY_POOL_CONFIG:-}${GALAXY_POOL_DATA:-}${GALAXY_POOL_STORAGE_DATA_DIR:-}" ] ||
    warn 'GALAXY_POOL_CONFIG, GALAXY_POOL_DATA and GALAXY_POOL_STORAGE_DATA_DIR are not used: the service has /etc/galaxy-pool/config.yaml and /var/lib/galaxy-pool.'
}

merge_environment() {
  while IFS= read -r line || [ -n "$line" ]; do
    name=${line%%=*}
    if [ "$name" != "$line" ] && has_word "$NAMES" "$name"; then
      has_word "$done_names" "$name" || environment_line "$name"
      done_names="$done_names $name"
    else
      printf '%s\n' "$line" || fatal_unwritten
    fi
  done
}

# NAME="value", as systemd reads it.
environment_line() {
  eval "value=\$$1"
  # shellcheck disable=SC2154
  case $value in
    *[[:cntrl:]]*) fatal "$1 holds a line break or another control character." '' 'Set it to one line of text.' ;;
  esac
  # shellcheck disable=SC2016
  printf '%s="%s"\n' "$1" "$(printf '%s' "$value" | sed 's/[\\"`$]/\\&/g')" || fatal_unwritten
}

fatal_unwritten() { fatal 'The new environment file cannot be written.' '' "$(free_space "$TEMPORARY") Nothing has been changed."; }

# The new executable reads the configuration in use before anything is changed.
check_configuration() {
  if ! has_word "$ROLES" pool || [ -z "$NEW" ]; then return 0; fi
  set -- config check --env-file "$TEMPORARY/galaxy-pool.env"
  if [ -n "$ROOT" ]; then
    config=$ROOT/etc/galaxy-pool/config.yaml
    [ -e "$config" ] || { config=$TEMPORARY/config.yaml && echo '{}' >"$config"; }
    set -- "$@" --config "$config"
  fi
  galaxy "$NEW" "$@" >"$TEMPORARY/why" 2>&1 || fatal "galaxy-pool $VERSION refuses the configuration." \
    "$(head -n 5 "$TEMPORARY/why")" \
    'Correct /etc/galaxy-pool/config.yaml or the variables you set, then run this again. Nothing has been changed.'
}

# PROFILE_FILES: "file target" of each drop-in that was asked for.
find_profiles() {
  PROFILE_FILES=''
  [ -n "$PROFILE" ] && [ "$PROFILE" != none ] || return 0
  if [ -z "$NEW" ]; then
    for profile in $PROFILE; do PROFILE_FILES="$PROFILE_FILES $profile.conf:$profile.conf"; done
    return 0
  fi
  names=$(galaxy "$NEW" files | sed 's/ .*//')
  for profile in $PROFILE; do
    file=$profile.conf
    [ "$ROLE" = pool ] || ! printf '%s\n' "$names" | grep -qxF "node-$file" || file=node-$file
    case $profile in *[!a-z0-9]*) file=none ;; esac
    printf '%s\n' "$names" | grep -qxF "$file" || fatal "There is no profile \"$profile\"." \
      "Profiles: $(printf '%s\n' "$names" | sed -n 's/^\([a-z0-9]*\)\.conf$/\1/p' | tr '\n' ' ')" 'Nothing has been changed.'
    PROFILE_FILES="$PROFILE_FILES $file:$profile.conf"
  done
}

# --- installing ---

# carry NAME TARGET MODE: a file the executable brings along.
carry() {
  if [ -z "$NEW" ]; then would "write $2"; return 0; fi
  galaxy "$NEW" files "$1" --bin-dir "$BIN_DIR" >"$TEMPORARY/files/$1" 2>"$TEMPORARY/why" ||
    fatal "galaxy-pool $VERSION does not bring the file $1." "$(head -n 3 "$TEMPORARY/why")" 'The release is broken.'
  put "$TEMPORARY/files/$1" "$2" "$3"
}

put_uninstall() { carry galaxy-pool-uninstall "$ROOT$BIN_DIR/galaxy-pool-uninstall" 755; }

put_executable() {
  [ -n "$NEW" ] && [ "$NEW" != "$EXECUTABLE" ] || return 0
  CHANGED="$CHANGED $EXECUTABLE"
  remember "$EXECUTABLE"
  # A power cut must not leave a name without its bytes.
  sync "$NEW" 2>/dev/null || sync
  mv -f "$NEW" "$EXECUTABLE" || fatal "$EXECUTABLE cannot be replaced." '' "$(free_space "$TEMPORARY")"
  NEW=$EXECUTABLE
}

put_extras() {
  put_link galaxy-pool "$ROOT$BIN_DIR/galaxy-cli"
  carry galaxy-pool.8 "$SHARE/man/man8/galaxy-pool.8" 644
  put_completion bash "$SHARE/bash-completion/completions/galaxy-pool"
  put_link galaxy-pool "$SHARE/bash-completion/completions/galaxy-cli"
  put_completion zsh "$SHARE/zsh/site-functions/_galaxy-pool"
  put_completion fish "$SHARE/fish/vendor_completions.d/galaxy-pool.fish"
}

put_completion() {
  if [ -z "$NEW" ]; then would "write $2"; return 0; fi
  galaxy "$NEW" completion "$1" >"$TEMPORARY/files/completion" || fatal "galaxy-pool $VERSION has no completion for $1." '' 'The release is broken.'
  put "$TEMPORARY/files/completion" "$2" 644
}

put_service() {
  for role in $ROLES; do
    CHANGED=''
    put "$TEMPORARY/galaxy-$role.env" "$ROOT/etc/galaxy-$role/galaxy-$role.env" 600
    carry "galaxy-$role.service" "$UNITS/galaxy-$role.service" 644
    [ "$role" != "$ROLE" ] || put_profiles "$UNITS/galaxy-$role.service.d"
    [ -z "$CHANGED" ] || CHANGED_ROLES="$CHANGED_ROLES $role"
  done
}

put_profiles() {
  if [ "$PROFILE" = none ]; then
    for file in "$1/lan.conf" "$1/wx.conf"; do
      [ -e "$file" ] || continue
      CHANGED="$CHANGED $file"
      if [ "$DRY" = yes ]; then would "remove $file"; continue; fi
      remember "$file"
      rm -f "$file"
    done
  fi
  for pair in $PROFILE_FILES; do carry "${pair%%:*}" "$1/${pair#*:}" 644; done
}

# Folders that were not there before; the uninstall script removes them when they are empty.
put_folder_list() {
  if [ "$DRY" = yes ] || [ ! -s "$TEMPORARY/folders" ]; then return 0; fi
  list=$SHARE/galaxy-pool/folders-made
  make_folder "$SHARE/galaxy-pool" 755
  { [ ! -e "$list" ] || cat "$list"; sed "s|^$ROOT||" "$TEMPORARY/folders"; } | sort -u >"$TEMPORARY/folder-list"
  put "$TEMPORARY/folder-list" "$list" 644
}

# A service of systemd's dynamic user has its data in private/, with a link beside it.
make_data_folder() {
  [ ! -e "$ROOT/var/lib/galaxy-$1" ] || return 0
  make_folder "$ROOT/var/lib/private" 700
  if [ ! -d "$ROOT/var/lib/private/galaxy-$1" ]; then
    mkdir -m 0700 "$ROOT/var/lib/private/galaxy-$1"
    printf 'tree %s\n' "$ROOT/var/lib/private/galaxy-$1" >>"$TEMPORARY/undo"
  fi
  [ ! -L "$ROOT/var/lib/galaxy-$1" ] || return 0
  remember "$ROOT/var/lib/galaxy-$1"
  ln -s "private/galaxy-$1" "$ROOT/var/lib/galaxy-$1"
}

# Keys belong to one machine: files for another root get none.
make_identity() {
  [ "$SKIP_START" != files ] || return 0
  if [ "$ROLE" = pool ]; then initialise; else join; fi
}

initialise() {
  [ ! -e "$ROOT/var/lib/galaxy-pool/operator.token" ] || return 0
  if [ "$DRY" = yes ]; then would 'make keys, CA, operator token and a pool: galaxy-pool init'; return 0; fi
  make_data_folder pool
  make_folder "$ROOT/etc/galaxy-pool" 755
  config=$ROOT/etc/galaxy-pool/config.yaml
  [ -e "$config" ] && begun=no || begun=yes
  set -- init --json
  [ -z "$ROOT" ] || set -- "$@" --config "$config" --data "$ROOT/var/lib/galaxy-pool"
  ( umask 022 && galaxy "$EXECUTABLE" "$@" ) >"$TEMPORARY/init.json" 2>"$TEMPORARY/why" || {
    # It writes a first configuration before anything else.
    [ "$begun" = no ] || rm -f "$config"
    fatal 'The pool cannot be initialised.' "$(head -n 5 "$TEMPORARY/why")" 'Correct this, then run this again.'
  }
  # The service reads it as its own user; secrets belong in galaxy-pool.env.
  chmod 644 "$config"
  info 'The pool is initialised: keys, CA, operator token.'
}

join() {
  if [ -e "$NODE_DATA/node.json" ]; then
    [ -n "$JOIN_URL" ] && [ -n "$TOKEN" ] || return 0
    ! grep -qF "\"$POOL_ADDRESS\"" "$NODE_DATA/node.json" || return 0
  fi
  if [ "$DRY" = yes ]; then would "join the pool at $POOL_ADDRESS: galaxy-pool node join"; return 0; fi
  make_data_folder node
  printf '%s\n' "$TOKEN" >"$TEMPORARY/token"
  set -- node join --token-file "$TEMPORARY/token"
  [ -z "$ROOT" ] || set -- "$@" --data "$NODE_DATA"
  info "Joining the pool at $POOL_ADDRESS."
  galaxy GALAXY_POOL_URL="$POOL_ADDRESS" "$EXECUTABLE" "$@" >"$TEMPORARY/joined" 2>"$TEMPORARY/why" ||
    fatal "This machine could not join the pool at $POOL_ADDRESS." "$(grep -v '^…' "$TEMPORARY/why" | head -n 5)" \
      'Check GALAXY_POOL_URL, and that the token is fresh: sudo galaxy-pool token create, on the pool.'
  info "$(head -n 1 "$TEMPORARY/joined")"
  CHANGED_ROLES="$CHANGED_ROLES node"
}

# --- the service ---

settle_services() {
  if [ "$SKIP_START" = files ]; then
    COMMITTED=yes
    [ "$DRY" = yes ] || info "The files are in $ROOT; nothing is started."
    return 0
  fi
  if [ "$DRY" = no ] && [ -n "$CHANGED_ROLES$LEFT" ]; then
    RELOADED=yes
    systemctl daemon-reload || fatal 'systemd does not take the new unit.' '' 'See: journalctl -b -n 20'
  fi
  for role in $ROLES; do
    if has_word "$INSTALLED_ROLES" "$role"; then settle_installed "$role"; else settle_fresh "$role"; fi
  done
  COMMITTED=yes
  # From here on the next run has nothing to go on with.
  # shellcheck disable=SC2086
  [ "$DRY" = yes ] || rm -rf "$TEMPORARY/undo" $LEFT
}

settle_fresh() {
  if ! is_yes "$SKIP_ENABLE"; then
    if [ "$DRY" = yes ]; then would "start galaxy-$1 at boot"
    else systemctl --quiet enable "galaxy-$1" || fatal "galaxy-$1 cannot be started at boot." '' "See: systemctl status galaxy-$1"
    fi
  fi
  # From here on it is installed: what fails now is for the journal, and for the next run.
  COMMITTED=yes BEFORE=4
  if is_yes "$SKIP_START"; then info "galaxy-$1 is not started: sudo systemctl start galaxy-$1"
  elif [ "$DRY" = yes ]; then would "start galaxy-$1"
  elif [ -n "$LEFT" ]; then start restart "$1"
  else start start "$1"
  fi
}

settle_installed() {
  state=$(systemctl is-active "galaxy-$1" 2>/dev/null) || :
  if [ "$state" = inactive ]; then
    warn "galaxy-$1 is stopped, and stays so: sudo systemctl enable --now galaxy-$1"
  elif [ "$state" = active ] && ! has_word "$CHANGED_ROLES" "$1" && [ "$SWAPPED" = no ] && [ -z "$LEFT" ] && ! runs_old "$1"; then
    return 0
  elif is_yes "$SKIP_START"; then
    info "galaxy-$1 is not restarted: sudo systemctl restart galaxy-$1"
  elif [ "$DRY" = yes ]; then
    would "restart galaxy-$1"
  else
    RESTARTED="$RESTARTED $1"
    start restart "$1"
  fi
}

# An installer that was killed may have left the swap done and the restart not.
runs_old() {
  if [ "$(systemctl show -p NeedDaemonReload --value "galaxy-$1")" = yes ]; then
    [ "$DRY" = yes ] || systemctl daemon-reload || :
    return 0
  fi
  case $(readlink "/proc/$(systemctl show -p MainPID --value "galaxy-$1")/exe") in *' (deleted)') return 0 ;; esac
  return 1
}

# start VERB ROLE
start() {
  if [ "$1" = start ]; then info "Starting galaxy-$2."; else info "Restarting galaxy-$2."; fi
  systemctl "$1" "galaxy-$2" 2>"$TEMPORARY/why" || give_up "$2" "$(head -n 2 "$TEMPORARY/why")"
  answers "$2" || give_up "$2" "$(head -n 3 "$TEMPORARY/why")"
}

# Whether the service does its work, within two minutes; one that systemd gave up does not.
answers() {
  if [ "$1" = node ]; then node_answers; return; fi
  tries=0
  while [ "$tries" -lt 24 ]; do
    code=0
    pool_command health --wait 5s >"$TEMPORARY/why" 2>&1 || code=$?
    [ "$code" != 0 ] || return 0
    if [ "$code" = 4 ] && [ "$BEFORE" = 4 ]; then
      warn "The pool runs, but is not healthy: $(head -n 3 "$TEMPORARY/why" | tr '\n' ' ')"
      return 0
    fi
    [ "$(systemctl is-active galaxy-pool 2>/dev/null)" != failed ] || return 1
    tries=$((tries + 1))
  done
  return 1
}

# Asked before the swap: a pool that was unhealthy then (a full disk, say) is no worse for it after.
note_health() {
  if [ "$DRY" = yes ] || [ "$SKIP_START" = files ] || ! has_word "$INSTALLED_ROLES" pool; then return 0; fi
  pool_command health >/dev/null 2>&1 || BEFORE=4
}

# A node whose pool is away is not at fault: it must run, and should be connected.
node_answers() {
  tries=0
  set -- node status --json
  [ -z "$ROOT" ] || set -- "$@" --data "$NODE_DATA"
  while [ "$tries" -lt "${INSTALL_GALAXY_NODE_TRIES:-15}" ]; do
    case $(systemctl is-active galaxy-node 2>/dev/null) in
      active) galaxy "$EXECUTABLE" "$@" 2>/dev/null | grep -q '"connected": *true' && return 0 ;;
      failed | inactive) return 1 ;;
    esac
    sleep 1
    tries=$((tries + 1))
  done
  [ "$(systemctl is-active galaxy-node 2>/dev/null)" = active ] || return 1
  warn 'The node runs, but is not connected to its pool yet: sudo galaxy-pool node status'
}

# A command that asks the pool of this machine.
pool_command() {
  verb=$1
  shift
  [ -z "$ROOT" ] || set -- "$@" --config "$ROOT/etc/galaxy-pool/config.yaml" --data "$ROOT/var/lib/galaxy-pool"
  # shellcheck disable=SC2086
  galaxy "$EXECUTABLE" $verb "$@"
}

give_up() {
  lines=$(journalctl -u "galaxy-$1" -n 15 --no-pager -o cat 2>/dev/null || :)
  [ "$COMMITTED" = yes ] || [ ! -s "$TEMPORARY/undo" ] || fatal "galaxy-$1 $VERSION does not come up; the version before is put back." "$2" "its last lines:
$lines"
  fatal "galaxy-$1 $VERSION is installed, but does not come up." "$2" "its last lines:
$lines" "Correct this, then: sudo systemctl restart galaxy-$1"
}

# --- the last words ---

tell() {
  if [ "$DRY" = yes ]; then info 'This was a dry run: nothing has been changed.'; return 0; fi
  [ "$SKIP_START" != files ] || return 0
  what="galaxy-$ROLE $VERSION"
  if ! has_word "$INSTALLED_ROLES" "$ROLE"; then info "$what is installed."
  elif [ "$SWAPPED" = yes ]; then info "$what is installed; before it was ${INSTALLED_VERSION:-another}."
  elif [ -n "$CHANGED_ROLES" ]; then info "$what has its new settings."
  elif [ -n "$RESTARTED" ]; then info "$what was installed, and is restarted."
  else info "$what is installed; nothing has changed, so nothing was restarted."
  fi
  case :$PATH: in *:$BIN_DIR:*) ;; *) warn "$BIN_DIR is not on your PATH; write $BIN_DIR/galaxy-pool." ;; esac
  if [ "$ROLE" = pool ]; then tell_pool; else tell_node; fi
}

tell_node() {
  has_word "$INSTALLED_ROLES" node || info 'Say where it is to be paid: sudo galaxy-pool node address ADDRESS'
  info 'See how it does: sudo galaxy-pool node status'
}

# The file is the service's, and this is root: nothing else than an address is taken from it.
tell_pool() {
  listening=$ROOT/var/lib/galaxy-pool/listening.json
  if [ ! -f "$listening" ]; then info 'The pool does not run: sudo systemctl start galaxy-pool'; return 0; fi
  plain=$(sed -n 's|.*"plain":\["\(http://[][0-9A-Za-z.:]*\)".*|\1|p' "$listening" | sed 's/0\.0\.0\.0/127.0.0.1/; s/\[::\]/[::1]/')
  secure_port=$(sed -n 's/.*"secure":\["[^"]*:\([0-9]*\)".*/\1/p' "$listening")
  grpc_port=$(sed -n 's/.*"grpc":"[^"]*:\([0-9]*\)".*/\1/p' "$listening")
  HOST=$(host_address)
  info "CA fingerprint: $(ca_pin)"
  info "API: https://$HOST:${secure_port:-8443} (on this machine also ${plain:-http://127.0.0.1:8095})"
  if has_word "$INSTALLED_ROLES" pool; then info 'To let a node join: sudo galaxy-pool token create'; else tell_fresh_pool; fi
}

# init told it; later the pool itself says it to anybody.
ca_pin() {
  pin=$(json_value ca_pin 2>/dev/null <"$TEMPORARY/init.json") || :
  if [ -z "$pin" ] && [ -n "$plain" ] && { [ -n "${DOWNLOADER:-}" ] || command -v curl >/dev/null; }; then
    DOWNLOADER=${DOWNLOADER:-curl}
    ! fetch "$plain/api/v1/authority" "$TEMPORARY/authority" 1000000 || pin=$(json_value pin <"$TEMPORARY/authority")
  fi
  printf '%s' "${pin:-unknown}"
}

tell_fresh_pool() {
  [ "$HOST" != 127.0.0.1 ] || warn 'This machine has no address in a network; put its name in the place of 127.0.0.1.'
  tell_firewall
  info 'See the pool: sudo galaxy-pool status'
  if token=$(pool_command 'token create' --json 2>"$TEMPORARY/why" | json_value token) && [ -n "$token" ]; then
    info 'A node joins when this is pasted on its machine (one node, within the hour; more: sudo galaxy-pool token create):'
    printf '\n  %s\n\n' "$(join_line "$token")"
  else
    warn "No join token was made: $(head -n 1 "$TEMPORARY/why"). Make one: sudo galaxy-pool token create"
  fi
}

join_line() {
  carried=''
  [ "$BASE_URL" = "$PUBLIC_URL" ] || carried=" INSTALL_GALAXY_BASE_URL=$(quoted "$BASE_URL")"
  ! is_yes "$INSECURE_URL" || carried="$carried INSTALL_GALAXY_INSECURE_URL=yes"
  ! is_yes "$SKIP_SIGNATURE" || carried="$carried INSTALL_GALAXY_SKIP_SIGNATURE=yes"
  [ -z "$PIN" ] || carried="$carried GALAXY_POOL_VERSION=$PIN"
  joining="GALAXY_POOL_URL=$(quoted "$HOST:${grpc_port:-$GRPC_PORT}") GALAXY_POOL_TOKEN=$1"
  if [ -n "$FROM" ]; then
    printf 'sudo %s sh %s --from %s' "$joining" "$(quoted "$FROM/install.sh")" "$(quoted "$FROM")"
  else
    where=latest/download
    [ -z "$PIN" ] || where=download/v$PIN
    printf 'curl -fsSL %s | sudo%s %s sh' "$(quoted "$BASE_URL/$where/install.sh")" "$carried" "$joining"
  fi
}

# Brackets, for one, mean something to a shell.
quoted() {
  case $1 in
    *[!A-Za-z0-9/:._=@+,-]*) printf "'%s'" "$1" ;;
    *) printf '%s' "$1" ;;
  esac
}

tell_firewall() {
  if command -v ufw >/dev/null; then
    info 'If the firewall is on, let the network in:'
    printf '\n  sudo ufw allow %s/tcp\n  sudo ufw allow %s/tcp\n\n' "${secure_port:-8443}" "${grpc_port:-$GRPC_PORT}"
  else
    info 'If there is a firewall (nftables), let the network in:'
    printf "\n  sudo nft add rule inet filter input tcp dport '{ %s, %s }' accept\n\n" "${secure_port:-8443}" "${grpc_port:-$GRPC_PORT}"
  fi
}

# Where others reach this machine: the source of the default route, else the first global address.
host_address() {
  found=$(route_source -4 192.0.2.1)
  [ -n "$found" ] || found=$(route_source -6 2001:db8::1)
  [ -n "$found" ] || found=$(ip -o addr show scope global 2>/dev/null | awk '{ sub("/.*", "", $4); print $4; exit }')
  [ -n "$found" ] || found=$(hostname -I 2>/dev/null | awk '{ print $1 }')
  case ${found:=127.0.0.1} in
    *:*) printf '[%s]' "$found" ;;
    *) printf '%s' "$found" ;;
  esac
}

route_source() { ip "$1" route get "$2" 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p' | grep -v -e '^127\.' -e '^::1$' | head -n 1; }

# --- the run ---

set -euf
umask 077
export LC_ALL=C
unset BUN_OPTIONS BUN_BE_BUN
SAID=no TEMPORARY='' LEFT='' COMMITTED=no RELOADED=no RESTARTED='' CHANGED='' CHANGED_ROLES='' KEPT=0 BEFORE=0 BIN_FOLDERS='' POOL_ADDRESS=''
PROGRESS=no
if [ -t 2 ]; then
  PROGRESS=yes
  exec 3>&2
fi
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 141' PIPE
read_environment
read_options "$@"
check_options
choose_role
verify_system
check_join
prepare_folders
fetch_sums
read_release
refuse_downgrade
get_executable
stage_environment
check_configuration
find_profiles
SWAPPED=no
[ "$NEW" = "$EXECUTABLE" ] || SWAPPED=yes
note_health
put_uninstall
put_executable
put_extras
put_service
make_identity
put_folder_list
settle_services
tell
}
