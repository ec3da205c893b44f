# Functions of scripts/test alone; sourced after bootstrap.sh, with the checkout as working directory.

# Go builds the stock clients that tests use. Older ones cannot, and those that may fetch a newer one do not check it against us.
go_version=1.26.8
go_oldest=1.26.5
go_sum_amd64=ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=
go_sum_arm64=sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=
go_mod_sum=8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=

test_cache() { printf '%s/scs-test' "${XDG_CACHE_HOME:-$HOME/.cache}"; }

usable_go() {
  have go || return 1
  local found
  found=$(GOTOOLCHAIN=local go env GOVERSION 2> /dev/null)
  [ "$(printf '%s\n%s\n' "$go_oldest" "${found#go}" | sort -V | head -n 1)" = "$go_oldest" ]
}

# ensure_go: a Go that builds the stock clients comes first on the PATH. Without one those tests are skipped, or fail with SING_MUST_WORK=1.
ensure_go() {
  local own
  own=$(test_cache)/go-$go_version/bin
  for folder in /usr/local/go/bin "$own"; do
    usable_go && return 0
    [ ! -x "$folder/go" ] || export PATH="$folder:$PATH"
  done
  usable_go && return 0
  if ! have go && is_root && have apt-get; then
    say "Installing golang-go with apt-get: it fetches the Go that builds stock clients for tests."
    apt_install golang-go
  fi
  if have go && fetch_go; then export PATH="$own:$PATH"; return 0; fi
  say "There is no Go $go_oldest or later: tests with stock clients cannot run. Debian, Ubuntu: sudo apt-get install golang-go"
}

# With any Go, from the module proxy it is configured for; checked against the hash above.
fetch_go() {
  local arch=amd64 sum=$go_sum_amd64 version folder found work
  [ "$node_arch" = x64 ] || { arch=arm64 sum=$go_sum_arm64; }
  version=v0.0.1-go$go_version.linux-$arch
  folder=$(test_cache)/go-$go_version
  say "Fetching Go $go_version from the module proxy."
  mkdir -p "$(test_cache)"
  work=$(mktemp -d "$(test_cache)/go-XXXXXX")
  found=$(
    cd "$work"
    export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOPATH=$work/path GOMODCACHE=$work/modules
    go mod init x 2> /dev/null
    printf 'golang.org/toolchain %s h1:%s\n' "$version" "$sum" "$version/go.mod" "$go_mod_sum" > go.sum
    go mod download -json "golang.org/toolchain@$version" | sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p'
  ) || found=
  if [ -d "$found" ]; then
    # Modules are unpacked without the right to be executed.
    chmod -R u+w "$work"
    chmod +x "$found"/bin/* "$found"/pkg/tool/*/*
    rm -rf "$folder"
    mv "$found" "$folder"
  fi
  chmod -R u+w "$work"
  rm -rf "$work"
  [ -x "$folder/bin/go" ]
}

# As root, tests also start containers as an ordinary user, who has to get at the checkout. Below a folder that is closed to others it is
# shown at another place to this run alone.
show_checkout() {
  is_root && [ -z "${scs_shown:-}" ] || return 0
  ! setpriv --reuid 61234 --regid 61234 --clear-groups test -r scripts/test -a -x scripts/test 2> /dev/null || return 0
  local place status=0
  place=$(mktemp -d /tmp/scs-checkout-XXXXXX)
  chmod 755 "$place"
  say "$PWD cannot be reached by other users, and some tests are done by one: it is shown at $place while they run."
  scs_shown=yes unshare --mount --propagation private bash -c 'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec ./scripts/test "$@"' \
    bash "$PWD" "$place" "$@" || status=$?
  rmdir "$place"
  exit "$status"
}
