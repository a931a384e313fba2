#!/usr/bin/env bash
# The house's walls: each room of src/ may include those before it in the list, but for the rooms behind `not`. A public header belongs
# to the room of the one source that bears its name and includes it first. Prints every include that runs up or through a wall.
#   scripts/rooms.sh            status 1 where there is one
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")"

rooms='
base
formula
state      not formula
problem    not state
memory     not state
reference
machine    not formula problem memory reference
walk
mechanism  not machine walk
plan
api
'
# Outside src/: what they may see of it. Tests of the whole (laws) and benchmarks see everything.
outside='
io
tool       io
examples
'

{
  echo "$rooms" | sed '/^$/d; s/^/room /'
  echo "$outside" | sed '/^$/d; s/^/outside /'
  find include src io tool examples -name '*.[ch]pp' 2>/dev/null | sort |
    xargs grep -HnoE '^#include ("[a-z_]+/|<heed/)[a-z0-9_/.-]+[>"]' | sed -E 's/^([^:]*):([0-9]+):#include [<"](.*)[>"]$/include \1 \2 \3/'
} | awk '
  function room_of(path, parts) { split(path, parts, "/"); return parts[1] == "src" ? parts[2] : parts[1] }
  function base_of(path) { sub(/.*\//, "", path); sub(/\.[ch]pp$/, "", path); return path }
  function complain(text) { print file[n] ":" line[n] ": " text; bad = 1 }
  $1 == "room" { place[$2] = ++count; for (i = 4; i <= NF; ++i) wall[$2, $i] = 1 }
  $1 == "outside" { out[$2] = 1; for (i = 3; i <= NF; ++i) may[$2, $i] = 1 }
  $1 == "include" { ++all; file[all] = $2; line[all] = $3; what[all] = $4 }
  END {
    for (n = 1; n <= all; ++n) {  # whose the public headers are
      first = !(file[n] in seen); seen[file[n]] = 1
      if (first && file[n] ~ /^src\/.*\.cpp$/ && what[n] ~ /^heed\// && base_of(file[n]) == base_of(what[n])) owner[what[n]] = room_of(file[n])
    }
    for (n = 1; n <= all; ++n) {
      from = room_of(file[n]); to = room_of(what[n])
      test = file[n] ~ /_test\.cpp$|_support\.hpp$/
      if (to == "laws") { if (!test) complain(what[n] " is for tests alone"); continue }
      if (to == "heed") {
        if (from == "include" || test || what[n] == "heed/heed.hpp" && !(from in place)) continue
        if (what[n] in owner) to = owner[what[n]]; else continue
        if (from in out) continue
      } else if (from == "include") { complain("a public header includes " what[n]); continue }
      if (from == to || test && from in out) continue
      if (from in out) { if (!((from, to) in may)) complain(from " sees include/heed" (from == "tool" ? " and io" : "") " alone, not " what[n]); continue }
      if (!(to in place)) complain("no room of this name: " what[n])
      else if (place[to] > place[from]) complain(from " stands below " to ": " what[n])
      else if ((from, to) in wall) complain("a wall between " from " and " to ": " what[n])
    }
    exit bad
  }'
