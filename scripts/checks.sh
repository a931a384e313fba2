# Running checks and counting them. Sourced by ./test after setup.sh; every function here adds to $passed and $failed.
# A check that cannot be counted (a crash, a program without a test, an exit status without a reason) counts as failed.
# shellcheck shell=bash

passed=0
failed=0
test_limit=1200  # seconds that a test program may take
slow_tests='Slow*:*/Slow*.*'  # suites named Slow… run in ./test --all alone

# count NAME GOOD BAD SECONDS: one line for people, two sums for the last line.
count() {
  passed=$((passed + $2))
  failed=$((failed + $3))
  if (($3)); then
    printf '%-40s %6d passed, %d FAILED  (%d s)\n' "$@"
  else
    printf '%-40s %6d passed  (%d s)\n' "$1" "$2" "$4"
  fi
}

seconds_since() { echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000000)); }

log_of() { echo "$logs/${1//[^A-Za-z0-9_.-]/-}.log"; }

# check NAME COMMAND…: one check; passed where the command exits 0.
check() {
  local name=$1 log start=$EPOCHREALTIME
  log=$(log_of "$name")
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    count "$name" 1 0 "$(seconds_since "$start")"
  else
    count "$name" 0 1 "$(seconds_since "$start")"
    tail -n 60 "$log" | cut -c1-400
  fi
}

lines() { grep -cE -- "$1" "$2" || true; }

# What each failing test of a GoogleTest log said; all of it for a test that never ended.
failing_tests() {
  awk '/^\[ RUN      \]/ { text = ""; open = 1 }  { if (open) text = text $0 "\n" }
       /\[       OK \]|\[  SKIPPED \]/ { open = 0; text = "" }
       /\[  FAILED  \].*\([0-9]+ ms\)$/ { printf "%s", text; open = 0; text = "" }
       END { if (open) printf "%s", text; else print }' "$1" | tail -n 150 | cut -c1-400
}

# gtest NAME COMMAND…: every test case of a GoogleTest program is one check.
gtest() {
  local name=$1 log start=$EPOCHREALTIME status=0 good bad reason=""
  log=$(log_of "$name")
  shift
  timeout -k 10 "$test_limit" "$@" --gtest_color=no >"$log" 2>&1 </dev/null || status=$?
  good=$(lines '\[       OK \] ' "$log")
  bad=$(lines '\[  FAILED  \] .*\([0-9]+ ms\)$' "$log")
  if ! grep -qE '^\[==========\] [0-9]+ tests? from [0-9]+ test suites? ran\.' "$log"; then
    reason="stopped before its end, status $status"
  elif ((status && !bad)); then
    reason="exit status $status though no test failed"
  elif ((!good && !bad)); then
    reason="ran no test"
  fi
  [[ -z $reason ]] || bad=$((bad + 1))
  count "$name" "$good" "$bad" "$(seconds_since "$start")"
  ((!bad)) || failing_tests "$log"
  [[ -z $reason ]] || echo "$name: $reason"
  grep -E '^\[  SKIPPED \] .*\([0-9]+ ms\)$' "$log" || true
}

# oracle NAME COMMAND…: a program that prints `ok NAME` and `FAIL NAME …` lines, one a check.
oracle() {
  local name=$1 log start=$EPOCHREALTIME status=0 good bad reason=""
  log=$(log_of "$name")
  shift
  timeout -k 10 "$test_limit" "$@" >"$log" 2>&1 </dev/null || status=$?
  good=$(lines '^ok ' "$log")
  bad=$(lines '^FAIL ' "$log")
  if ((status && !bad)); then
    reason="exit status $status though nothing failed"
  elif ((!good && !bad)); then
    reason="checked nothing"
  fi
  [[ -z $reason ]] || bad=$((bad + 1))
  count "$name" "$good" "$bad" "$(seconds_since "$start")"
  grep -E '^FAIL ' "$log" | head -n 40 | cut -c1-400 || true
  [[ -z $reason ]] || { grep -v '^ok ' "$log" | tail -n 40 | cut -c1-400; echo "$name: $reason"; }
}

# fail NAME REASON: a check that could not even start.
fail() {
  count "$1" 0 1 0
  echo "$1: $2"
}

# test_rooms PRESET: the names of its test programs, by CMake's own list, so that a program left from an older tree is not run.
test_rooms() { ctest --test-dir "$(build_folder "$1")" -N | sed -n 's/^ *Test *#[0-9]*: //p'; }

# The rooms whose tests depend on the processor.
level_rooms=(laws formula state machine walk plan)

# run_levels OPTION…: the tests of those rooms as on every older processor that this one can play, with these options.
run_levels() {
  local level levels room
  levels=$(build/laws_tests --levels) || { fail levels "the test program names none"; return; }
  for level in $levels; do
    for room in "${level_rooms[@]}"; do gtest "$level: $room" "build/${room}_tests" "--level=$level" "$@"; done
  done
}

# run_tests PRESET FILTER [PREFIX…]: every test program of a preset, each behind PREFIX.
run_tests() {
  local preset=$1 filter=$2 folder room rooms label=""
  shift 2
  folder=$(build_folder "$preset")
  [[ $preset == release ]] || label="$preset: "
  rooms=$(test_rooms "$preset")
  [[ -n $rooms ]] || fail "${label}tests" "there is no test program"
  for room in $rooms; do
    gtest "$label$room" "$@" "$folder/${room}_tests" "--gtest_filter=$filter"
  done
}
