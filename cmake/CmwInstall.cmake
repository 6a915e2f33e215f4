# SPDX-License-Identifier: MIT
# Headers, libraries, pkg-config files and the CMake package. Each component has its own export
# file, so that find_package needs a component's dependency only if it is asked for.
include(CMakePackageConfigHelpers)

set(cmw_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/catzilla-mw)

# The .pc files find the prefix from their own place, so that a moved tree works.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(CMW_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
    file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
    string(REGEX REPLACE "/$" "" up ${up})
    set(CMW_PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(dir LIBDIR INCLUDEDIR)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
        set(CMW_PC_${dir} "${CMAKE_INSTALL_${dir}}")
    else()
        set(CMW_PC_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
    endif()
endforeach()

function(cmw_install_pc template)
    get_filename_component(name ${template} NAME_WLE)
    configure_file(${template} ${PROJECT_BINARY_DIR}/${name} @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${name} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/catzilla
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h"
    PATTERN component EXCLUDE PATTERN adapter EXCLUDE PATTERN testing.h EXCLUDE)

install(TARGETS catzilla-mw catzilla-mw-static EXPORT catzilla-mw)
install(EXPORT catzilla-mw FILE catzilla-mw-targets.cmake NAMESPACE catzilla-mw::
    DESTINATION ${cmw_package_dir})
cmw_install_pc(${PROJECT_SOURCE_DIR}/catzilla-mw.pc.in)

# A component's header is include/catzilla/<name>.h, component/<name>.h or adapter/<name>.h.
get_property(components GLOBAL PROPERTY CMW_COMPONENTS)
set(CMW_COMPONENT_REQUIRES "")
foreach(name IN LISTS components)
    get_property(targets GLOBAL PROPERTY CMW_COMPONENT_${name}_TARGETS)
    get_property(template GLOBAL PROPERTY CMW_COMPONENT_${name}_PC)
    get_property(requires GLOBAL PROPERTY CMW_COMPONENT_${name}_REQUIRES)
    foreach(folder "." component adapter)
        set(header ${PROJECT_SOURCE_DIR}/include/catzilla/${folder}/${name}.h)
        if(EXISTS ${header})
            install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/catzilla/${folder})
        endif()
    endforeach()
    install(TARGETS ${targets} EXPORT catzilla-mw-${name})
    install(EXPORT catzilla-mw-${name} FILE catzilla-mw-${name}-targets.cmake
        NAMESPACE catzilla-mw:: DESTINATION ${cmw_package_dir})
    cmw_install_pc(${template})
    string(APPEND CMW_COMPONENT_REQUIRES "set(_cmw_requires_${name} \"${requires}\")\n")
endforeach()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/catzilla-mw-config.cmake.in
    ${PROJECT_BINARY_DIR}/catzilla-mw-config.cmake INSTALL_DESTINATION ${cmw_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/catzilla-mw-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/catzilla-mw-config.cmake
    ${PROJECT_BINARY_DIR}/catzilla-mw-config-version.cmake DESTINATION ${cmw_package_dir})
