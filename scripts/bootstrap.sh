# Functions shared by scripts/up and scripts/test. Sourced by bash with the checkout as working directory.
# Each step does nothing when there is nothing to do, says what it does otherwise, and ends with one sentence when it cannot.

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$1"
  [ $# -lt 2 ] || say "$2"
  exit 1
}

case $(uname -m) in
  x86_64) node_arch=x64 ;;
  aarch64 | arm64) node_arch=arm64 ;;
  *) fail "This machine has a processor ($(uname -m)) that SCS is not built for; it runs on x86_64 and aarch64." ;;
esac
[ "$(uname -s)" = Linux ] || fail "SCS runs on Linux; this is $(uname -s)."

# The Node that everything runs with; its version and hash are in the lock file.
pinned_node=node_modules/node-linux-$node_arch/bin/node

is_root() { [ "$(id -u)" = 0 ]; }
have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" > /dev/null 2>&1; }
hash_of() { sha256sum "$@" | sha256sum | cut -d ' ' -f 1; }

# Only one start at a time prepares a checkout; the others wait and find everything done.
lock_checkout() {
  mkdir -p .cache 2> /dev/null || return 0
  if [ -w .cache ] && have flock; then
    exec 8> .cache/prepare.lock
    flock 8
  fi
}
unlock_checkout() { exec 8>&-; }

writable_checkout() {
  [ -w . ] || fail "This checkout ($PWD) cannot be written by $(id -un), and $1." \
    "Run ./scripts/up once as its owner, or clone it to a folder of your own."
}

# --- packages of the distribution -------------------------------------------------------------------------------------

is_there() {
  case $1 in
    command:*) have "${1#command:}" ;;
    file:*) compgen -G "${1#file:}" > /dev/null ;;
    *) return 1 ;;
  esac
}

trim() {
  local text=$1
  text=${text#"${text%%[![:space:]]*}"}
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# ensure_packages GROUP…: installs what is missing of these groups as root with apt; otherwise names it.
ensure_packages() {
  local group package probe purpose wanted missing=() needed=() lines=()
  while IFS='|' read -r group package probe purpose; do
    group=$(trim "$group")
    case $group in '' | '#'*) continue ;; esac
    for wanted in "$@"; do
      [ "$group" = "$wanted" ] || continue
      package=$(trim "$package")
      is_there "$(trim "$probe")" && continue
      missing+=("$package")
      lines+=("  $package: $(trim "$purpose")")
      [ "$group" != build ] || needed+=("$package")
    done
  done < scripts/packages.txt
  [ ${#missing[@]} -gt 0 ] || return 0
  if is_root && have apt-get; then
    say "Installing with apt-get, because it is missing:"
    printf '%s\n' "${lines[@]}" >&2
    apt_install "${missing[@]}"
    return
  fi
  say "Missing on this machine:"
  printf '%s\n' "${lines[@]}" >&2
  local remedy="Debian, Ubuntu: sudo apt-get install ${missing[*]}"
  if [ ${#needed[@]} -gt 0 ]; then fail "Cannot go on without ${needed[*]}." "$remedy"; fi
  say "$remedy"
}

apt_install() {
  local had_redis=no
  have redis-server && had_redis=yes
  export DEBIAN_FRONTEND=noninteractive
  apt_try "$@" || { apt-get update -qq && apt_try "$@"; } ||
    fail "apt-get could not install: $*" "Look at the lines above; on a machine without network these packages have to be there."
  # The package starts a Redis for everybody; ours is private, and nobody asked for the other one.
  if [ $had_redis = no ] && have redis-server; then
    if [ -d /run/systemd/system ]; then systemctl disable --now --quiet redis-server 2> /dev/null || true
    else service redis-server stop > /dev/null 2>&1 || true; fi
  fi
}
# Descriptor 8 is our lock: a service that a package starts must not keep it.
apt_try() { apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" < /dev/null > /dev/null 8>&-; }

# --- Node and the packages of the lock file -----------------------------------------------------------------------------

lock_stamp() { hash_of package-lock.json .npmrc; }

modules_are_current() {
  [ -x "$pinned_node" ] && [ "$(cat node_modules/.scs-lock 2> /dev/null)" = "$(lock_stamp)" ]
}

# Any Node from 18 on with npm from 8 on installs the pinned one.
usable_npm() {
  have node && have npm || return 1
  [ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 18' 2> /dev/null)" = true ] || return 1
  [ "$(npm --version 2> /dev/null | cut -d . -f 1)" -ge 8 ] 2> /dev/null
}

ensure_modules() {
  modules_are_current && return 0
  # npm would empty the folder behind the link, which other checkouts use, too.
  [ ! -L node_modules ] || fail "node_modules/ is a link to $(readlink node_modules), whose packages are not those of the lock file here." \
    "Remove the link, and the packages are installed here; or install those of this lock file there."
  writable_checkout "its packages are not installed or not those of the lock file"
  usable_npm || bootstrap_node
  say "Installing the packages of the lock file with npm (into node_modules/)."
  # Behind a proxy of a site, the site's authority is known to the system and not to Node.
  NODE_USE_SYSTEM_CA=1 npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2 ||
    fail "npm could not install the packages of the lock file." "Look at the lines above; the registry is $(npm config get registry)."
  [ -x "$pinned_node" ] || fail "npm left out $pinned_node, which is an optional package." \
    "Run npm ci without --omit=optional (see npm config get omit)."
  lock_stamp > node_modules/.scs-lock
}

bootstrap_node() {
  if is_root && have apt-get; then
    say "Installing nodejs and npm with apt-get, because no Node from version 18 on is there; they only fetch the pinned Node."
    apt_install nodejs npm
    usable_npm && return 0
    say "The distribution's Node is too old; fetching one."
  fi
  fetch_node
}

# Without Node and without root: the two tarballs that npm itself would install, from the registry npm is configured for,
# checked against the lock file.
fetch_node() {
  have curl || have wget || fail "Neither Node (18 or later, with npm) nor curl or wget is there to fetch one." \
    "Debian, Ubuntu: sudo apt-get install nodejs npm"
  have openssl || fail "openssl is missing; it checks the Node that is fetched." "Debian, Ubuntu: sudo apt-get install openssl"
  local folder=$PWD/.toolchain
  mkdir -p "$folder"
  fetch_tarball "node-linux-$node_arch" "$folder/node"
  fetch_tarball npm "$folder/npm"
  mkdir -p "$folder/bin"
  ln -sf ../node/bin/node "$folder/bin/node"
  printf '#!/bin/sh\nexec "%s/node/bin/node" "%s/npm/bin/npm-cli.js" "$@"\n' "$folder" "$folder" > "$folder/bin/npm"
  chmod +x "$folder/bin/npm"
  export PATH="$folder/bin:$PATH"
  usable_npm || fail "The Node that was fetched into $folder does not run on this machine." "It needs glibc 2.28 or later."
}

# fetch_tarball PACKAGE FOLDER: version and sha512 come from the lock file.
fetch_tarball() {
  local name=$1 folder=$2 entry version integrity url file
  if [ "$name" = npm ]; then
    version=$(sed -n 's/^npm \([0-9.]*\) .*/\1/p' scripts/npm.lock)
    integrity=$(sed -n 's/^npm [0-9.]* \(sha512-.*\)/\1/p' scripts/npm.lock)
  else
    entry=$(sed -n "/\"node_modules\/$name\": {/,/}/p" package-lock.json)
    version=$(printf '%s' "$entry" | sed -n 's/.*"version": "\(.*\)".*/\1/p')
    integrity=$(printf '%s' "$entry" | sed -n 's/.*"integrity": "\(sha512-.*\)".*/\1/p')
  fi
  [ -n "$version" ] && [ -n "$integrity" ] || fail "The lock file names no $name."
  [ "$(cat "$folder/.integrity" 2> /dev/null)" = "$integrity" ] && return 0
  mkdir -p "$(dirname "$folder")"
  url="$(registry)/$name/-/$name-$version.tgz"
  file=$folder.tgz
  say "Fetching $name $version from $url"
  if have curl; then curl -fsSL --retry 3 -o "$file" "$url"; else wget -q -O "$file" "$url"; fi ||
    fail "Could not fetch $url" "Behind a proxy, set https_proxy; with a registry of your own, put registry=… into ~/.npmrc."
  [ "sha512-$(openssl dgst -sha512 -binary "$file" | openssl base64 -A)" = "$integrity" ] || {
    rm -f "$file"
    fail "What came from $url is not what the lock file names: its hash differs."
  }
  rm -rf "$folder"
  mkdir -p "$folder"
  tar -xzf "$file" -C "$folder" --strip-components=1
  rm -f "$file"
  printf '%s\n' "$integrity" > "$folder/.integrity"
}

# The registry npm would use: environment, then the project's and the user's npmrc.
registry() {
  local found=${npm_config_registry:-}
  [ -n "$found" ] || found=$(cat .npmrc ~/.npmrc 2> /dev/null | sed -n 's/^ *registry *= *//p' | tail -n 1)
  printf '%s' "${found:-https://registry.npmjs.org}" | sed 's|/*$||'
}

# --- building -------------------------------------------------------------------------------------------------------------

sources() { find "$@" -type f ! -name '*.spec.ts' ! -path '*/build/*' ! -path '*/.*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; }
dist_stamp() { { sources apps libs addon/index.ts; sha256sum package.json package-lock.json tsconfig*.json scripts/build-*.mjs; } | sha256sum | cut -d ' ' -f 1; }
native_stamp() { { sources addon libs/runtime libs/core; sha256sum package-lock.json scripts/build-planner.mjs; } | sha256sum | cut -d ' ' -f 1; }
is_current() { [ "$(cat "$1" 2> /dev/null)" = "$2" ]; }

# ensure_built: compiles what changed since the last time.
ensure_built() {
  local dist native
  dist=$(dist_stamp)
  native=$(native_stamp)
  if ! is_current dist/.stamp "$dist"; then
    writable_checkout "its sources changed since they were built"
    say "Compiling the TypeScript sources."
    rm -f dist/.stamp
    run_script build
    run_script build:cli
    printf '%s\n' "$dist" > dist/.stamp
  fi
  if ! is_current addon/build/.stamp "$native"; then
    writable_checkout "its native sources changed since they were built"
    ensure_packages build
    say "Compiling what changed of the native program sing (a minute the first time)."
    rm -f addon/build/.stamp
    run_script build:native
    printf '%s\n' "$native" > addon/build/.stamp
  fi
  link_programs
}

# With the pinned Node first on the PATH, as npm would do it.
run_script() {
  PATH="$PWD/node_modules/node-linux-$node_arch/bin:$PATH" npm_config_loglevel=error \
    "$pinned_node" "$(npm_cli)" run -s "$1" >&2 || fail "The build step npm run $1 failed; the lines above say why."
}

npm_cli() {
  local found
  if [ -f .toolchain/npm/bin/npm-cli.js ]; then printf '%s' .toolchain/npm/bin/npm-cli.js; return; fi
  found=$(readlink -f "$(command -v npm)") || fail "npm is missing." "Debian, Ubuntu: sudo apt-get install npm"
  printf '%s' "$found"
}

link_programs() {
  [ -d bin ] || mkdir bin 2> /dev/null || return 0
  [ -L bin/sing ] || [ ! -w bin ] || ln -sf ../addon/build/sing bin/sing
  [ -x bin/scs ] || [ ! -w bin ] || {
    cat > bin/scs.new << 'EOF'
#!/bin/sh
# The operator's command line, with the Node of this checkout. Made by scripts/up.
home=$(dirname "$(dirname "$(readlink -f "$0")")")
case $(uname -m) in x86_64) arch=x64 ;; *) arch=arm64 ;; esac
unset NODE_OPTIONS
exec "$home/node_modules/node-linux-$arch/bin/node" "$home/dist/apps/scs/src/main.js" "$@"
EOF
    chmod 755 bin/scs.new
    mv bin/scs.new bin/scs
  }
}

# --- user namespaces ---------------------------------------------------------------------------------------------------------

# Ubuntu lets only programs with an AppArmor profile make user namespaces. (Written from its documentation; not run there.)
allow_user_namespaces() {
  local switch=/proc/sys/kernel/apparmor_restrict_unprivileged_userns profile=/etc/apparmor.d/scs-sing program
  [ "$(cat $switch 2> /dev/null)" = 1 ] || return 0
  program=$(readlink -f bin/sing)
  grep -qsF "\"$program\"" $profile && return 0
  local text="# Made by scripts/up of SCS: sing may make user namespaces, which Ubuntu otherwise refuses.
abi <abi/4.0>,
include <tunables/global>
profile scs-sing \"$program\" flags=(unconfined) {
  userns,
  include if exists <local/scs-sing>
}"
  if is_root && have apparmor_parser; then
    say "This system restricts user namespaces: installing $profile, which allows them to $program."
    printf '%s\n' "$text" > $profile
    apparmor_parser -r $profile || say "apparmor_parser refused $profile: containers of ordinary users will not start."
    return 0
  fi
  say "This system restricts user namespaces, so containers of ordinary users will not start. As root:"
  say "$(printf 'cat > %s <<EOF\n%s\nEOF\napparmor_parser -r %s' "$profile" "$text" "$profile")"
}
