# What ./test always runs.
# shellcheck shell=bash

sources() { find include src io tool laws examples bench -name '*.[ch]pp' 2>/dev/null | sort; }

# The installed package, used as a stranger would: a project of its own that finds heed and links heed::heed.
use_the_package() {
  local prefix=$root/build/prefix consumer=$root/build/consumer
  rm -rf "$prefix" "$consumer"
  cmake --install build --prefix "$prefix" &&
    cmake -G Ninja -S examples/consumer -B "$consumer" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" &&
    ninja -C "$consumer" && "$consumer/consumer" &&
    runs_alone "$prefix"
}

# runs_alone PREFIX: the tool that lies there does its example in an empty folder, writes its picture there and nothing beside itself.
runs_alone() {
  local work=$root/build/work before
  rm -rf "$work" && mkdir "$work"
  before=$(find "$1" | sort)
  (cd "$work" && "$1/bin/heed" && [[ $(ls) == licence-attention.png ]]) && [[ $(find "$1" | sort) == "$before" ]]
}

# The Debian package: what it holds runs where it is unpacked; where we may, dpkg itself installs it into a root of its own, on the word
# of this system's list of packages that all it depends on is here, and takes it away without a rest.
debian_package() {
  local folder=$root/build/package package
  rm -rf "$folder" && mkdir "$folder"
  (cd build && cpack -G DEB -B "$folder") || return 1
  package=$(echo "$folder"/heed_*.deb)
  dpkg-deb --info "$package" && dpkg-deb -x "$package" "$folder/unpacked" && runs_alone "$folder/unpacked/usr" || return 1
  ((!EUID)) || return 0
  local system=$folder/root
  mkdir -p "$system"/var/lib/dpkg/{info,updates,triggers}
  cp /var/lib/dpkg/status "$system/var/lib/dpkg/status"
  cp /var/lib/dpkg/arch "$system/var/lib/dpkg/" 2>/dev/null || true
  dpkg --root="$system" --log=/dev/null -i "$package" && runs_alone "$system/usr" && dpkg --root="$system" --log=/dev/null -P heed &&
    [[ ! -e $system/usr ]]
}

format_is_kept() {
  local wrong
  wrong=$(sources | xargs clang-format --dry-run 2>&1 | sed -n 's/:[0-9]*:[0-9]*: warning: .*//p' | sort -u | tr '\n' ' ')
  [[ -z $wrong ]] || { echo "Mend with: clang-format -i $wrong"; return 1; }
}

build/heed list | sed -n '/^Kernels/,$p'
echo "Tests run every kernel that runs here; the instructions of amx are emulated where the processor lacks them."
run_tests release "-$slow_tests"
# Every day another tenth of them, as on every older processor.
run_levels "--tenth=$(date +%Y%m%d)" "--gtest_filter=-$slow_tests"
check "rooms" scripts/rooms.sh
check "code for any processor" scripts/plain_code.sh build
check "the tool is kept out of src/" scripts/wall.sh build
for example in examples/*.cpp; do
  example=$(basename "$example" .cpp)
  [[ $example == '*' ]] || check "example $example" timeout 120 "build/examples/$example"
done
check catalogue build/heed list --markdown --check CATALOGUE.md
check format format_is_kept
check package use_the_package
! command -v dpkg-deb >/dev/null || check "Debian package" debian_package
oracle "README's examples" scripts/readme.sh
