# `cpack -G DEB` in a build folder makes heed_VERSION_ARCH.deb: all that `cmake --install` lays down, under /usr.
# What the tool needs to run is read off its libraries where dpkg-shlibdeps is there, and stated by Debian 12's names where not; what a
# program needs to be linked with heed is recommended.
set(CPACK_PACKAGE_NAME heed)
set(CPACK_PACKAGE_CONTACT "heed's maintainers <heed@users.noreply.localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "exact attention on CPUs, any mask, and where it went")
set(CPACK_PACKAGE_DESCRIPTION "Attention as software: exact, in memory linear in the sequence length, on a CPU.
A C++20 library for CMake's find_package(heed), and the command-line tool heed.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "g++, cmake, pkg-config, libhwy-dev, libtbb-dev")
find_program(HEED_SHLIBDEPS dpkg-shlibdeps)
find_program(HEED_FILE file)
if(HEED_SHLIBDEPS AND HEED_FILE)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
else()
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6 (>= 2.36), libstdc++6 (>= 12), libtbb12, libhwy1, libfmt9, libpng16-16, zlib1g")
endif()
include(CPack)
