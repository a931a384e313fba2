#!/usr/bin/env bash
# README's examples, run and compared line by line with what README shows; prints `ok NAME` or `FAIL NAME …`, one line each.
#
# An example is an indented block that begins with `$ heed`. A line `…` of README stands for lines left out; every other line must come,
# in order. Times and speeds, errors, and what binds on this machine are compared by shape; of `heed bench` every number is. The C++
# example must be the file that README names.
# usage: scripts/readme.sh [README]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readme=${1:-README.md}
PATH=$PWD/build:$PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# N.command and N.expected for each example of README.
awk -v folder="$folder" '
  /^    \$ heed/ { inside = 1; blank = ""; ++n; printf "%s\n", substr($0, 7) > (folder "/" n ".command"); printf "" > (folder "/" n ".expected"); next }
  inside && /^$/ { blank = blank "\n"; next }
  inside && /^    / { printf "%s%s\n", blank, substr($0, 5) > (folder "/" n ".expected"); blank = ""; next }
  { inside = 0 }' "$readme"

shape() {  # COMMAND: standard input, with what differs from machine to machine put by its shape
  if [[ $1 == "heed bench "* ]]; then
    sed -E 's/\((multiply_add|bf16_dot|matrix_unit)\)/(unit)/; s/^binds: [a-z0-9_]+/binds: limit/
            s/[0-9][0-9.,]*/#/g; s/# (ns|us|µs|ms|s)\b/# s/g; s/# [KMGT]?i?B\b/# B/g; s/ +/ /g'
  else
    sed -E 's/[0-9][0-9.,]* (ns|us|µs|ms|s)\b/# s/g; s/[0-9][0-9.,]* GFLOP\/s/# GFLOP\/s/g; s/\b(error|bound) [0-9][0-9.e+-]*/\1 #/g
            s/bound by [^;]*/bound by #/'
  fi
}

# The first line of README that does not come, or of the output that README neither shows nor leaves out; nothing where they agree.
difference() {  # EXPECTED FOUND
  awk 'FNR == NR { want[++wanted] = $0; next }
       { have[++had] = $0 }
       END {
         at = 1
         for (i = 1; i <= wanted; ++i) {
           if (want[i] == "…") { open = 1; continue }
           while (open && at <= had && have[at] != want[i]) ++at
           if (at > had) { print "README shows, heed does not: " want[i]; exit }
           if (have[at] != want[i]) { print "README shows: " want[i]; print "  heed prints: " have[at]; exit }
           ++at
           open = 0
         }
         if (!open && at <= had) print "heed prints, README does not: " have[at]
       }' "$1" "$2"
}

failed=0
say() {  # NAME DIFFERENCE
  if [[ -z $2 ]]; then echo "ok $1"; else failed=1; echo "FAIL $1: ${2//$'\n'/ }"; fi
}

for file in $(find "$folder" -name '*.command' | sort -V); do
  command=$(<"$file")
  # Errors are examples too: what counts is what is printed.
  bash -c "$command" >"${file%.command}.found" 2>&1 </dev/null || true
  for kind in expected found; do shape "$command" <"${file%.command}.$kind" >"${file%.command}.$kind.shape"; done
  say "$command" "$(difference "${file%.command}.expected.shape" "${file%.command}.found.shape")"
done

awk '/^```cpp$/ { inside = 1; next }  /^```$/ { inside = 0 }  inside' "$readme" >"$folder/attend.cpp"
say "examples/attend.cpp" "$(diff <(sed '/^\/\/ /d' examples/attend.cpp) "$folder/attend.cpp" | sed -n 2p || true)"
exit $failed
