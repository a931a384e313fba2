# The libraries that heed links on 64-bit ARM, unpacked from Debian's packages into build-aarch64/sysroot. It needs no rights, and adds
# no architecture to the system: apt works on lists of its own.
# shellcheck shell=bash

arm_packages=(libhwy-dev libhwy1 libtbb-dev libtbb12 libtbbmalloc2 libtbbbind-2-5 libfmt-dev libfmt9 libpng-dev libpng16-16
              zlib1g-dev zlib1g libgtest-dev)
any_packages=(nlohmann-json3-dev libcli11-dev)

arm_sysroot() {
  local folder=$root/build-aarch64 state=$root/build-aarch64/apt package
  [[ ! -f $folder/sysroot/complete ]] || return 0
  rm -rf "$folder/sysroot" "$state"
  mkdir -p "$folder/sysroot" "$state"/{lists,cache/archives}/partial
  (
    cd "$state"
    apt_arm=(apt-get -qq -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o "Dir::State::lists=$state/lists"
             -o "Dir::Cache=$state/cache" -o "APT::Sandbox::User=$(id -un)")
    "${apt_arm[@]}" update && "${apt_arm[@]}" download "${arm_packages[@]/%/:arm64}" "${any_packages[@]}"
  ) || return 1
  for package in "$state"/*.deb; do dpkg-deb -x "$package" "$folder/sysroot" || return 1; done
  # zlib still unpacks into /lib, which is /usr/lib on a system.
  cp -a "$folder/sysroot/lib/." "$folder/sysroot/usr/lib" && rm -rf "$folder/sysroot/lib" "$state"
  touch "$folder/sysroot/complete"
}
