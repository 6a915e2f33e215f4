# SPDX-License-Identifier: MIT
# How the tree is put together: layers make the core; components, programs and tests stand on it.

# What every object of ours is compiled with.
function(cmw_configure_objects target)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:cmw_warnings>)
    set_target_properties(${target} PROPERTIES
        C_VISIBILITY_PRESET hidden
        POSITION_INDEPENDENT_CODE ON)
endfunction()

# cmw_add_layer(<name> SOURCES file... PLATFORM file... SEES layer...)
# An object library of src/<name>/ whose include path holds include/, its own folder and those of
# the layers it sees, nothing else. PLATFORM lists the files that may use more than ISO C: they are
# compiled with _GNU_SOURCE. A layer without files is left out.
function(cmw_add_layer name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;PLATFORM;SEES")
    if(NOT arg_SOURCES AND NOT arg_PLATFORM)
        message(STATUS "layer ${name}: no sources")
        return()
    endif()
    add_library(cmw-${name} OBJECT ${arg_SOURCES} ${arg_PLATFORM})
    cmw_configure_objects(cmw-${name})
    set_source_files_properties(${arg_PLATFORM} PROPERTIES COMPILE_DEFINITIONS _GNU_SOURCE)
    target_compile_definitions(cmw-${name} PRIVATE CMW_BUILDING)
    target_include_directories(cmw-${name} PRIVATE
        ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
    foreach(layer IN LISTS arg_SEES)
        target_include_directories(cmw-${name} PRIVATE ${PROJECT_SOURCE_DIR}/src/${layer})
    endforeach()
    set_property(GLOBAL APPEND PROPERTY CMW_LAYERS ${name})
endfunction()

# The core from the layers: shared, static, and a static one for unit tests whose users may include
# the internal headers.
function(cmw_add_core)
    get_property(layers GLOBAL PROPERTY CMW_LAYERS)
    if(NOT layers)
        message(FATAL_ERROR "no layer lists a source file")
    endif()
    list(TRANSFORM layers REPLACE "(.+)" "$<TARGET_OBJECTS:cmw-\\1>" OUTPUT_VARIABLE objects)

    add_library(catzilla-mw SHARED ${objects})
    add_library(catzilla-mw-static STATIC ${objects})
    add_library(catzilla-mw-whitebox STATIC ${objects})
    add_library(catzilla-mw::catzilla-mw ALIAS catzilla-mw)
    add_library(catzilla-mw::static ALIAS catzilla-mw-static)

    foreach(target catzilla-mw catzilla-mw-static catzilla-mw-whitebox)
        set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
        target_include_directories(${target} PUBLIC
            $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
            $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    endforeach()
    target_link_libraries(catzilla-mw PRIVATE Threads::Threads)
    target_link_libraries(catzilla-mw-static PUBLIC Threads::Threads)
    target_link_libraries(catzilla-mw-whitebox PUBLIC Threads::Threads)
    target_compile_definitions(catzilla-mw-static INTERFACE CMW_STATIC)
    target_compile_definitions(catzilla-mw-whitebox INTERFACE CMW_STATIC)

    cmw_set_version(catzilla-mw)
    set_target_properties(catzilla-mw-static PROPERTIES
        EXPORT_NAME static
        OUTPUT_NAME $<IF:$<BOOL:${MSVC}>,catzilla-mw-static,catzilla-mw>)
    cmw_set_version_map(catzilla-mw ${PROJECT_SOURCE_DIR}/src/catzilla-mw.map)

    foreach(layer base memory message engine observe builtin)
        target_include_directories(catzilla-mw-whitebox INTERFACE ${PROJECT_SOURCE_DIR}/src/${layer})
    endforeach()
endfunction()

# Before 1.0 a minor release may break: the soname is 0.<minor>.
function(cmw_set_version target)
    set_target_properties(${target} PROPERTIES
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()

function(cmw_set_version_map target map)
    if(WIN32 OR APPLE)
        return()
    endif()
    target_link_options(${target} PRIVATE -Wl,--version-script=${map})
    set_target_properties(${target} PROPERTIES LINK_DEPENDS ${map})
    if(NOT CMW_SANITIZE)
        target_link_options(${target} PRIVATE -Wl,-z,defs)
    endif()
endfunction()

# cmw_add_component(<name> SOURCES file... PLATFORM file... [LIBRARIES lib...]
#                   [PUBLIC_LIBRARIES lib...] [REQUIRES pkg-config module...] [STATIC_ONLY])
# The library catzilla-mw-<name> (catzilla-mw::<name>), which sees the public headers and its own
# folder. PUBLIC_LIBRARIES are those whose headers its own public header includes.
#   catzilla-mw-<name>          SHARED, on the shared core
#   catzilla-mw-<name>-static   STATIC, on the static core (catzilla-mw::<name>-static)
#   catzilla-mw-<name>-objects  for unit tests: link it beside catzilla-mw-whitebox
# With STATIC_ONLY there is one archive that names no core: its user links either of them.
function(cmw_add_component name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "STATIC_ONLY" ""
        "SOURCES;PLATFORM;LIBRARIES;PUBLIC_LIBRARIES;REQUIRES")
    if(NOT arg_SOURCES AND NOT arg_PLATFORM)
        message(STATUS "component ${name}: no sources")
        return()
    endif()
    set(target catzilla-mw-${name})
    set(public_headers $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

    add_library(${target}-objects OBJECT ${arg_SOURCES} ${arg_PLATFORM})
    cmw_configure_objects(${target}-objects)
    set_source_files_properties(${arg_PLATFORM} PROPERTIES COMPILE_DEFINITIONS _GNU_SOURCE)
    target_compile_definitions(${target}-objects PRIVATE CMW_BUILDING)
    target_include_directories(${target}-objects PUBLIC
        ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(${target}-objects PUBLIC
        ${arg_LIBRARIES} ${arg_PUBLIC_LIBRARIES} Threads::Threads)

    if(arg_STATIC_ONLY)
        add_library(${target} STATIC $<TARGET_OBJECTS:${target}-objects>)
        target_include_directories(${target} PUBLIC ${public_headers})
        target_link_libraries(${target} PUBLIC ${arg_PUBLIC_LIBRARIES} Threads::Threads
            PRIVATE ${arg_LIBRARIES})
        set(targets ${target})
    else()
        add_library(${target} SHARED $<TARGET_OBJECTS:${target}-objects>)
        target_link_libraries(${target} PUBLIC catzilla-mw ${arg_PUBLIC_LIBRARIES}
            PRIVATE ${arg_LIBRARIES} Threads::Threads)
        cmw_set_version(${target})

        add_library(${target}-static STATIC $<TARGET_OBJECTS:${target}-objects>)
        target_link_libraries(${target}-static PUBLIC catzilla-mw-static ${arg_PUBLIC_LIBRARIES}
            PRIVATE ${arg_LIBRARIES})
        set_target_properties(${target}-static PROPERTIES
            EXPORT_NAME ${name}-static
            OUTPUT_NAME $<IF:$<BOOL:${MSVC}>,${target}-static,${target}>)
        add_library(catzilla-mw::${name}-static ALIAS ${target}-static)
        set(targets ${target} ${target}-static)
    endif()
    set_target_properties(${targets} PROPERTIES LINKER_LANGUAGE C)
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
    add_library(catzilla-mw::${name} ALIAS ${target})

    set_property(GLOBAL APPEND PROPERTY CMW_COMPONENTS ${name})
    set_property(GLOBAL PROPERTY CMW_COMPONENT_${name}_TARGETS ${targets})
    set_property(GLOBAL PROPERTY CMW_COMPONENT_${name}_REQUIRES "${arg_REQUIRES}")
    set_property(GLOBAL PROPERTY CMW_COMPONENT_${name}_PC
        ${CMAKE_CURRENT_SOURCE_DIR}/${target}.pc.in)
endfunction()

# cmw_add_program(<name> SOURCES file... [LIBRARIES lib...] [DEFINITIONS def...])
# A program of ours in <build>/bin: example, benchmark or tool. It sees public headers and its own
# folder, and links the static core; LIBRARIES adds components, as catzilla-mw::jemalloc-static.
function(cmw_add_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES;DEFINITIONS")
    add_executable(${name} ${arg_SOURCES})
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_compile_definitions(${name} PRIVATE ${arg_DEFINITIONS})
    target_link_libraries(${name} PRIVATE cmw_warnings ${arg_LIBRARIES} catzilla-mw-static)
endfunction()
