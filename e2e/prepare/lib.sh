# shellcheck shell=bash
# What the prepare scripts share: where the cache lies, how a product gets its key and its final name,
# and how a slow part shows which it is, how far it is and how long it usually takes.

cache=${KUBESTRAP_E2E_CACHE:-/var/cache/kubestrap-e2e}
given=${KUBESTRAP_E2E_COMPONENTS:-}

# fail WHAT FIX
fail() {
  printf 'error: %s\n' "$1" >&2
  printf '  fix: %s\n' "$2" >&2
  exit 1
}

# recipe FUNCTION...: the functions as bash reads them, so that a changed comment makes nothing anew.
recipe() { declare -f "$@"; }

# key TEXT...: a short digest of everything that decides what a product is.
key() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

# given_file NAME: the path of a ready-made file in KUBESTRAP_E2E_COMPONENTS, or nothing.
given_file() {
  if [ -n "$given" ] && [ -e "$given/$1" ]; then printf '%s\n' "$given/$1"; fi
}

# file_key FILE: tells a ready-made file from its successor without reading hundreds of megabytes.
file_key() { stat -L -c '%n %s %Y' "$1"; }

# debian_sources TYPE: the places that this machine's apt gets Debian's packages from, as lines for another apt.
debian_sources() {
  # shellcheck disable=SC2016  # the names are for apt to expand
  local format="$1"' [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) $(COMPONENT)'
  local known=(apt-get indextargets --format "$format" 'Created-By: Packages' 'Origin: Debian')
  # apt knows a place's origin only after an update
  [ -n "$("${known[@]}")" ] || apt-get update >&2
  "${known[@]}" | sort -u | grep . || fail "apt knows no place that has Debian's packages" "apt-get update, then look at /etc/apt"
}

# apt_download FOLDER PACKAGE...: old package lists point to files that are gone, so a second try updates them.
apt_download() {
  local folder=$1
  shift
  cd "$folder" || return
  apt-get -o APT::Sandbox::User=root download "$@" ||
    { apt-get update && apt-get -o APT::Sandbox::User=root download "$@"; }
}

# begin TARGET: makes a new folder beside TARGET, in $making; the product is made there before it gets its name.
making=''
trap 'rm -rf ${making:+"$making"}' EXIT
begin() {
  mkdir -p "$(dirname "$1")"
  making=$(mktemp -d "$(dirname "$1")/.making-$(basename "$1")-XXXXXX")
}

# publish TARGET: the only way a product gets its name, so a name always means a complete product.
publish() {
  chmod 755 "$making"
  mv -T "$making" "$1"
  making=''
}

# part TITLE USUALLY COMMAND...: runs a slow command with its output in a log file. A terminal gets one
# living line, anything else a line at the start and one at the end; a failure shows the end of the log.
part() {
  local title=$1 usually=$2 log started child status=0
  shift 2
  mkdir -p "$cache/log"
  log=$cache/log/$(printf '%s' "$title" | tr -c 'A-Za-z0-9.-' '-').log
  started=$SECONDS
  [ -t 2 ] || printf '  %s (usually %s)\n' "$title" "$usually" >&2
  "$@" >"$log" 2>&1 </dev/null &
  child=$!
  # shellcheck disable=SC2064  # the child's number of now is meant
  trap "kill $child 2>/dev/null; exit 143" TERM INT HUP
  if [ -t 2 ]; then
    while kill -0 "$child" 2>/dev/null; do
      printf '\r\033[K  %s: %s (usually %s)' "$title" "$((SECONDS - started)) s" "$usually" >&2
      sleep 0.5
    done
  fi
  wait "$child" || status=$?
  trap - TERM INT HUP
  if [ -t 2 ]; then printf '\r\033[K' >&2; fi
  if [ "$status" != 0 ]; then
    printf '  %s: failed after %s s\n' "$title" "$((SECONDS - started))" >&2
    tail -n 25 "$log" | sed 's/^/    | /' >&2
    fail "$title failed with exit code $status" "read $log"
  fi
  printf '  %s: %s s\n' "$title" "$((SECONDS - started))" >&2
}
