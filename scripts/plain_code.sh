#!/usr/bin/env bash
# Whether all code of the library that any x86-64 processor may come to runs on any: plans are made, sizes and prices told, refusals given
# on processors that lack the units. It looks at the machine code, object by object:
#   - a source that compiles nothing for a unit (no HEED_PAIRS_BEGIN, HWY_BEFORE_NAMESPACE, target attribute) holds base instructions alone;
#   - in the others what holds more is nothing that plans ask for, and is local or has a name of that unit: a function that every file may
#     have (of std::, of a header of ours) would be linked once for all, perhaps as compiled for AVX-512.
# usage: scripts/plain_code.sh BUILD-FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

objects=$1/CMakeFiles/heed.dir/src
units='HEED_PAIRS_BEGIN|HWY_BEFORE_NAMESPACE|__attribute__\(\(target'
[[ $(uname -m) == x86_64 ]] || exit 0

# Names that say what they are compiled for.
own='^_Z+NK?(4heed7machine(3amx|3dot|5pairs)|(4heed[0-9]+[a-z]+|3hwy)[0-9]+N_[A-Z0-9]+)'
# What plans ask of every kernel (machine/machine.hpp, plan/kernels.hpp): never compiled for a unit.
asked='[0-9]([a-z]*_?sizes|few_mix_sizes|phrase_bytes|[a-z]*similarities|[a-z]*mixing|[a-z]*phrases|[a-z]*decline[a-z]*|[a-z]*missing|[a-z]*scratch)(I|E)'
# Beyond SSE2: AVX and all after it (v…), masks, bits, tiles; SSE3 to SSE4.2.
beyond='^(v[a-z0-9]+|k[a-z]+[bwdq]|andn|bextr|bls[a-z]+|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx|lzcnt|tdp[a-z0-9]+|tile[a-z0-9]+|ldtilecfg|sttilecfg'
beyond+='|pshufb|palignr|ph(add|sub)s?[wd]+|pabs[bwd]|pmaddubsw|pmulhrsw|psign[bwd]|p?blend[a-z]+|pmulld|pmuldq|pmin(s[bd]|u[wd])|pmax(s[bd]|u[wd])'
beyond+='|pmov[sz]x[a-z]+|round[ps][sd]|ptest|pextr[bdq]|pinsr[bdq]|insertps|extractps|dpp[sd]|pcmp(eq|gt)q|packusdw|mpsadbw|phminposuw'
beyond+='|movntdqa|popcnt|crc32[a-z]?|h(add|sub)p[sd]|addsubp[sd]|movs[hl]dup|movddup|lddqu)$'

found=0
while read -r object; do
  source=src/${object#"$objects"/}
  source=${source%.o}
  [[ -f $source ]] || continue  # left from an older tree
  plain=1
  ! grep -qE "$units" "$source" || plain=0
  # Every function that goes beyond, with its binding: t local, T, W and others not.
  wrong=$(awk -v plain=$plain -v own="$own" -v asked="$asked" -v beyond="$beyond" '
    FNR == NR { if (NF >= 2) kind[$NF] = $(NF - 1); next }
    /^[0-9a-f]+ <.*>:$/ { name = substr($2, 2, length($2) - 3); next }
    NF >= 2 && $2 ~ beyond && !(name in seen) {
      seen[name] = 1
      base = name; sub(/[.](cold|part|isra|constprop).*/, "", base)
      if (plain || base ~ asked || (kind[name] != "t" && base !~ own)) print "  " name " holds " $2
    }' <(nm --defined-only "$object") <(objdump -d --no-show-raw-insn -w "$object"))
  if [[ -n $wrong ]]; then
    found=1
    echo "$source:"
    c++filt <<<"$wrong"
  fi
done < <(find "$objects" -name '*.o' | sort)
exit $found
