# find_package(heed) gives heed::heed. A static library is linked with oneTBB and Highway, so those are found here.
include(CMakeFindDependencyMacro)
find_dependency(TBB)
find_dependency(PkgConfig)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
include(${CMAKE_CURRENT_LIST_DIR}/heedTargets.cmake)
