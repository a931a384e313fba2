# What ./test always runs.
# shellcheck shell=bash

sources() { find include src tool laws examples bench cmake -name '*.[ch]pp' 2>/dev/null | sort; }

# The installed package, used as a stranger would: a project of its own that finds heed and links heed::heed.
use_the_package() {
  local prefix=$root/build/prefix consumer=$root/build/consumer
  rm -rf "$prefix" "$consumer"
  cmake --install build --prefix "$prefix" &&
    cmake -G Ninja -S cmake/consumer -B "$consumer" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" &&
    ninja -C "$consumer" && "$consumer/consumer"
}

format_is_kept() {
  local wrong
  wrong=$(sources | xargs clang-format --dry-run 2>&1 | sed -n 's/:[0-9]*:[0-9]*: warning: .*//p' | sort -u | tr '\n' ' ')
  [[ -z $wrong ]] || { echo "Mend with: clang-format -i $wrong"; return 1; }
}

build/heed list | sed -n '/^Kernels/,$p'
echo "Tests run every kernel that runs here; the instructions of amx are emulated where the processor lacks them."
run_tests release "-$slow_tests"
for example in examples/*.cpp; do
  example=$(basename "$example" .cpp)
  [[ $example == '*' ]] || check "example $example" timeout 120 "build/examples/$example"
done
check catalogue build/heed list --markdown --check CATALOGUE.md
check format format_is_kept
check package use_the_package
