# Which Debian packages heed needs, and how it is built. Sourced by ./run and ./test, which set $root, the top of the tree.
# Everything said here goes to standard error: standard output belongs to the tool and to the tests.
# shellcheck shell=bash

build_packages=(g++ cmake ninja-build pkg-config libhwy-dev libtbb-dev libfmt-dev nlohmann-json3-dev libcli11-dev
                libpng-dev zlib1g-dev libgtest-dev git ca-certificates)
test_packages=(clang-format binutils dpkg-dev file)
peer_packages=(python3 python3-venv)
all_packages=(clang clang-tidy libclang-rt-dev g++-aarch64-linux-gnu qemu-user shellcheck)

logs=$root/build/log

say() { printf '%s\n' "$*" >&2; }

missing_packages() {  # NAME…: those not installed
  comm -23 <(printf '%s\n' "$@" | sort -u) \
           <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p' | sort -u)
}

apt() { env DEBIAN_FRONTEND=noninteractive "${rights[@]}" apt-get -o DPkg::Lock::Timeout=300 "$@" >>"$logs/apt.log" 2>&1; }

# install_packages NAME…: installs the missing ones; without the rights, names the command to run and exits 2.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "This is not a Debian system, so nothing is installed here. Needed, by Debian's names: $*"
    return
  fi
  local missing rights=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  if ((EUID)); then
    if ! sudo -n true 2>/dev/null; then
      say "Some packages are missing. Install them with this command, then start again:"
      local shell='su -c'
      if command -v sudo >/dev/null; then shell='sudo sh -c'; fi
      say "  $shell 'apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'"
      exit 2
    fi
    rights=(sudo -n)
  fi
  say "Installing ${missing[*]} …"
  mkdir -p "$logs"
  : >"$logs/apt.log"
  local install=(install -y --no-install-recommends "${missing[@]}")
  # The package lists are fetched only where they are missing or too old to install from.
  apt "${install[@]}" || { apt update && apt "${install[@]}"; } || {
    tail -n 40 "$logs/apt.log" >&2
    say "The packages could not be installed."
    exit 2
  }
}

build_folder() { if [[ $1 == release ]]; then echo "$root/build"; else echo "$root/build-$1"; fi; }

# Steps done on a terminal, one line elsewhere, nothing where nothing is to be built.
show_progress() {
  awk -v name="$1" -v terminal="$([[ -t 2 ]] && echo 1 || echo 0)" '
    /^\[[0-9]+\/[0-9]+\] Building/ {
      if (!building++) printf "Building %s …%s", name, terminal ? "" : "\n" > "/dev/stderr"
      if (terminal) printf "\rBuilding %s %s ", name, $1 > "/dev/stderr"
    }
    END { if (building && terminal) print "" > "/dev/stderr" }'
}

# What ninja said of the steps that failed, without their command lines.
failing_part() {
  awk '/^\[[0-9]+\/[0-9]+\] / { failing = 0 }
       /^FAILED: / { failing = 1; print; getline; next }
       failing || /^ninja: |^CMake Error/' "$1" | grep -vE '^ninja: Entering|^ +inlined from' | cut -c1-400
}

# build PRESET [TARGET…]: configures once and builds; quiet unless it fails, then the failing part and status 1.
build() {
  local preset=$1 folder log
  shift
  folder=$(build_folder "$preset")
  log=$logs/build-$preset.log
  mkdir -p "$logs"
  if [[ ! -f $folder/build.ninja ]] && ! (cd "$root" && cmake --preset "$preset") >"$log" 2>&1; then
    grep -v '^--' "$log" >&2
    return 1
  fi
  ninja -C "$folder" "$@" 2>&1 | tee "$log" | show_progress "$preset" && return
  failing_part "$log" | head -n 80 >&2
  say "The build failed; the whole log: ${log#"$root"/}"
  return 1
}
