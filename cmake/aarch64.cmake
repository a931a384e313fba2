# Cross-compiling for 64-bit ARM with Debian's g++-aarch64-linux-gnu; the tests run under qemu-user. The libraries lie in a folder of
# their own, filled by scripts/aarch64.sh, so that the system's own packages stay as they are.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(HEED_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build-aarch64/sysroot)
cmake_path(NORMAL_PATH HEED_SYSROOT)
set(CMAKE_FIND_ROOT_PATH ${HEED_SYSROOT} /usr/aarch64-linux-gnu)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${HEED_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${HEED_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${HEED_SYSROOT}/usr/share/pkgconfig)

# An old-style RPATH serves the libraries' own libraries too, so a program finds all of them in that folder.
set(CMAKE_EXE_LINKER_FLAGS_INIT -Wl,--disable-new-dtags)

set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
