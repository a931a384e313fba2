#!/usr/bin/env bash
# Whether the tool and the library of files are kept out of src/ by the compiler: with their own include folders it finds heed's public
# headers and io/, and no header of src/, by its name or from the root of the tree. A path that climbs (../src/…) is looked for by eye.
# usage: scripts/wall.sh BUILD-FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commands=$1/compile_commands.json

# The program that sees nothing of src/: it does not compile where a header of src/ is found, or one of those that must be is not.
program() {
  for seen in heed/heed.hpp io/npy.hpp; do printf '#if !__has_include("%s")\n#error %s is not found\n#endif\n' "$seen" "$seen"; done
  while read -r header; do
    for name in "$header" "${header#src/}"; do printf '#if __has_include("%s")\n#error %s is found\n#endif\n' "$name" "$name"; done
  done < <(find src -name '*.hpp' | sort)
}

wrong=0
for source in tool/main.cpp io/npy.cpp; do
  folders=$(grep -E "\"command\": .*/$source\"" "$commands" | head -n 1 | grep -oE -- '(-I|-isystem )[^ ]+' || true)
  [[ -n $folders ]] || { echo "$source: not in $commands"; exit 1; }
  # shellcheck disable=SC2086  # several words
  if ! said=$(program | (cd "$(dirname "$source")" && c++ -std=c++20 $folders -fsyntax-only -x c++ - 2>&1)); then
    grep error <<<"$said" | sed "s|^|$source: |"
    wrong=1
  fi
done
! grep -nE '#include "(\.\./)+src/' tool/*.[ch]pp io/*.[ch]pp || wrong=1
exit $wrong
