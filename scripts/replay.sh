#!/usr/bin/env bash
# Replays recorded problems on another commit and on this tree: the plans as text and the bits of every kernel must be the same.
#   scripts/replay.sh COMMIT [PROBLEMS]      (10,000 where not said)
# What this tree has and the commit has not (kernels, their lines in plans) is left out; whatever else differs is printed. Builds the
# commit in build/replay; build this tree first.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
cd "$root"
commit=${1:?a commit to compare with}
problems=${2:-10000}
work=$root/build/replay
old=$work/tree
mkdir -p "$work"
git worktree prune
[[ -d $old ]] || git worktree add --detach "$old" "$commit" >/dev/null
git -C "$old" checkout --quiet --detach "$commit"
cmake -S "$old" -B "$old/build" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
ninja -C "$old/build" heed >/dev/null
ninja -C build heed >/dev/null

# record TREE OUT: this tree's recorder, built against a tree's library and headers.
record() {
  c++ -std=c++20 -O1 -I "$1/include" laws/replay/record.cpp "$1/build/libheed.a" $(pkg-config --libs libhwy) -ltbb -o "$2.run"
  local half=$((problems / 2))
  "$2.run" 0 "$half" >"$2.1" &
  local first=$!
  "$2.run" "$half" "$problems" >"$2.2"
  wait $first
  cat "$2.1" "$2.2" >"$2"
}
record "$old" "$work/old"
record "$root" "$work/new"
# Kernels that the commit does not know, wherever a line speaks of them.
new_kernels=$(comm -13 <(grep -oE '^  [a-z]+: (scratch|refused)' "$work/old" | cut -d: -f1 | sort -u) \
                       <(grep -oE '^  [a-z]+: (scratch|refused)' "$work/new" | cut -d: -f1 | sort -u) | tr -d ' ' | paste -sd'|')
if [[ -n $new_kernels ]]; then
  echo "only here: $new_kernels"
  grep -vE "^ +($new_kernels):|^  +not +($new_kernels):" "$work/new" | sed -E "s/; ($new_kernels): [^;]*//g" >"$work/new.common"
else
  cp "$work/new" "$work/new.common"
fi
# Scratch is a plan's own affair, as long as it does not grow: its figures are compared by themselves.
masked() { sed -E 's/scratch( +)[0-9.]+( [KMG]i)?B?;/scratch;/; s/: scratch [0-9]+/: scratch/' "$1"; }
figures() { grep -oE ': scratch [0-9]+' "$1" | cut -d' ' -f3; }
paste <(figures "$work/old") <(figures "$work/new.common") |
  awk '$1 > 0 { r = $2 / $1; if (r > most) most = r; sum += r; n++ } END { printf "scratch: %.4f of the commit'"'"'s on average, %.4f at most\n", sum / n, most }'
if diff <(masked "$work/old") <(masked "$work/new.common") >"$work/difference"; then
  echo "the same: $problems problems, $(grep -cE '^  [a-z]+: scratch' "$work/old") runs, plans and bits"
else
  echo "DIFFERENT: $(grep -c '^<' "$work/difference") lines; the first:"
  head -n 20 "$work/difference" | cut -c1-200
  exit 1
fi
