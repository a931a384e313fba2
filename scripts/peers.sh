# The oracles: other people's attention, from Python packages in a virtual environment of the user's cache.
# shellcheck shell=bash

venv=${XDG_CACHE_HOME:-$HOME/.cache}/heed/venv

has_peers() { "$venv/bin/python" -c 'import numpy, torch' 2>/dev/null; }

install_peers() {
  mkdir -p "${venv%/*}"
  # An environment whose Python is gone is made anew; --clear leaves nothing of it.
  "$venv/bin/python" -m pip --version 2>/dev/null || /usr/bin/python3 -m venv --clear "$venv" || return 1
  "$venv/bin/python" -m pip install --no-cache-dir --no-input torch numpy && has_peers
}

run_peers() {
  local script scripts=(laws/torch/*.py)
  if ! has_peers; then
    echo "Installing PyTorch into $venv: a download of about 3 GB, once …"
    check "install PyTorch" install_peers
    has_peers || return 0
  fi
  for script in "${scripts[@]}"; do
    [[ -f $script ]] || { fail torch "laws/torch holds no script"; return; }
    oracle "torch: $(basename "$script" .py)" "$venv/bin/python" "$script"
  done
}
run_peers
