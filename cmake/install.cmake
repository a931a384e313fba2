# What `cmake --install` lays down: the headers, the library with its package files, and the tool with its example where it is built.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/heed)
install(TARGETS heed EXPORT heed_targets)
install(DIRECTORY include/heed TYPE INCLUDE)
install(FILES LICENSE TYPE DOC)
if(HEED_TOOL)
  install(TARGETS heed_tool)
  install(FILES examples/${HEED_EXAMPLE_LAYER} DESTINATION ${CMAKE_INSTALL_DATADIR}/heed)
endif()

install(EXPORT heed_targets NAMESPACE heed:: FILE heedTargets.cmake DESTINATION ${package_folder})
write_basic_package_version_file(heedConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/heedConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/heedConfigVersion.cmake DESTINATION ${package_folder})
