#!/usr/bin/env bash
# Replays recorded problems on another commit and on this tree: the plans as text and the bits of every kernel must be the same.
#   scripts/replay.sh COMMIT [PROBLEMS]      (10,000 where not said)
# What this tree has and the commit has not (kernels, their lines in plans) is left out; scratch and row statistics are compared by
# themselves; whatever else differs is printed, and the status is 1. Builds the commit in build/replay.
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
# Kernels that the commit does not know, wherever a line speaks of them; who was chosen, where it is one of them.
new_kernels=$(comm -13 <(grep -oE '^  [a-z]+: (scratch|refused)' "$work/old" | cut -d: -f1 | sort -u) \
                       <(grep -oE '^  [a-z]+: (scratch|refused)' "$work/new" | cut -d: -f1 | sort -u) | tr -d ' ' | paste -sd'|')
[[ -z $new_kernels ]] || echo "only here: $new_kernels"
chosen=$(awk -v names="^(${new_kernels:-none})," '/^problem/ { n = $2 } /^  kernel/ && $2 ~ names { print n }' "$work/new" | paste -sd' ')
# comparable FILE: what both can say. Scratch and statistics are compared by themselves.
comparable() {
  awk -v names="${new_kernels:-none}" -v chosen="$chosen" '
    BEGIN { count = split(chosen, list, " "); for (i = 1; i <= count; ++i) other[list[i]] = 1 }
    /^problem/ { mine = $2 in other }
    /^  problem/ { wide = /, f64,/ }
    mine && /^  (kernel|  not)/ || wide && /^  note/ { next }  # f64 is in double anyway
    $0 ~ "^ +(not +)?(" names "):" { next }
    { gsub("; (" names "): [^;]*", ""); gsub("found (" names "): [^;]*; ", "found "); gsub(/scratch +[0-9.]+ [KMGi]*B;/, "scratch;")
      gsub(/: scratch [0-9]+/, ": scratch"); gsub(/ statistics [0-9a-f]+/, ""); print }' "$1"
}
figures() { grep -vE "^  (${new_kernels:-none}):" "$1" | grep -oE ': scratch [0-9]+' | cut -d' ' -f3; }
statistics() { grep -vE "^  (${new_kernels:-none}):" "$1" | grep -oE 'statistics [0-9a-f]+'; }
paste <(figures "$work/old") <(figures "$work/new") |
  awk '$1 > 0 { r = $2 / $1; if (r > most) most = r; sum += r; n++ } END { printf "scratch: %.4f of the commit'"'"'s on average, %.4f at most\n", sum / n, most }'
paste <(statistics "$work/old") <(statistics "$work/new") |
  awk '{ all++; if ($2 != $4) other++ } END { printf "statistics: other bits in %d of %d runs\n", other, all }'
if diff <(comparable "$work/old") <(comparable "$work/new") >"$work/difference"; then
  echo "the same: $problems problems, $(grep -cE '^  [a-z]+: scratch' "$work/old") runs: plans as text, bits of O, L and weights"
else
  echo "DIFFERENT: $(grep -c '^<' "$work/difference") lines; the first:"
  head -n 20 "$work/difference" | cut -c1-200
  exit 1
fi
