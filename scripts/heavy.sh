# What ./test --all adds: everything that takes long.
# shellcheck shell=bash
source scripts/aarch64.sh

fuzz_seconds=20  # each fuzzer

# The sweeps left out of the light run; a room without one is no failure here.
slow_sweeps() {
  local room
  for room in $(test_rooms release); do
    "build/${room}_tests" --gtest_list_tests "--gtest_filter=$slow_tests" | grep -q '^ ' || continue
    gtest "slow: $room" "build/${room}_tests" "--gtest_filter=$slow_tests"
  done
}

built_tests() {  # PRESET FILTER [PREFIX…]
  local preset=$1
  if build "$preset"; then run_tests "$@"; else fail "$preset: build" "it does not build"; fi
}

sanitizers() {
  # A sanitizer reserves terabytes of addresses, so a test that limits the address space cannot start the tool.
  local filter="-$slow_tests:*.MemoryThatIsNotThere"
  export UBSAN_OPTIONS=print_stacktrace=1
  built_tests address "$filter"
  # The plain threads of this build take memory that a plan does not count.
  built_tests thread "$filter:Scratch.ThePlanStatesWhatRunTakes"
}

fuzzers() {
  local target name corpus
  build fuzz || { fail "fuzz: build" "it does not build"; return; }
  for target in build-fuzz/*_fuzz; do
    name=${target##*/}
    corpus=build-fuzz/corpus/$name
    mkdir -p "$corpus"
    check "fuzz: ${name%_fuzz}" "$target" -max_total_time="$fuzz_seconds" -timeout=10 -artifact_prefix="$corpus/../$name-" "$corpus"
  done
}

# Older processors themselves, emulated: an instruction that they lack ends the program there.
old_processors() {
  [[ $(uname -m) == x86_64 ]] || return 0
  local model seed filter="-$slow_tests:Cost.OfLittleTimeIsSaidLittle"  # that speaks of a machine that is not emulated
  seed=$(date +%Y%m%d)
  for model in Haswell Nehalem; do
    gtest "$model: plan" qemu-x86_64 -cpu "$model" build/plan_tests "--gtest_filter=$filter"
    gtest "$model: laws" qemu-x86_64 -cpu "$model" build/laws_tests "--tenth=$seed" "--gtest_filter=$filter"
    gtest "$model: machine" qemu-x86_64 -cpu "$model" build/machine_tests "--tenth=$seed" "--gtest_filter=$filter"
  done
}

arm() {
  [[ $(uname -m) != aarch64 ]] || return 0  # there the light tests are it
  check "aarch64: libraries" arm_sysroot
  [[ ! -f build-aarch64/sysroot/complete ]] || built_tests aarch64 "-$slow_tests" qemu-aarch64 -L /usr/aarch64-linux-gnu
}

tidy() { sources | grep '\.cpp$' | grep -vE '^examples/consumer/|_fuzz\.cpp$|_bench\.cpp$' | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build-clang; }

slow_sweeps
run_levels "--gtest_filter=-$slow_tests"
old_processors
sanitizers
fuzzers
arm
built_tests clang "-$slow_tests"
check "code for any processor, by clang" scripts/plain_code.sh build-clang
check "clang-tidy" tidy
check "shellcheck" shellcheck -x run test .ci/run scripts/plain_code.sh scripts/readme.sh scripts/wall.sh
