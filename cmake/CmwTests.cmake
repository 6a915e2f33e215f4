# SPDX-License-Identifier: MIT

# cmw_add_unit_test(<layer> <module> [SOURCES file...] [LIBRARIES lib...] [LABELS label...])
# Compiles tests/unit/<layer>/test_<module>.c with cmocka against the core with nothing hidden, as
# the CTest test unit.<layer>.<module>, which runs in its source folder. SOURCES adds helper files.
# For a component, LIBRARIES names its objects, as catzilla-mw-jemalloc-objects.
function(cmw_add_unit_test layer module)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "SOURCES;LIBRARIES;LABELS")
    set(target test_${layer}_${module})
    add_executable(${target} test_${module}.c ${arg_SOURCES})
    target_include_directories(${target} PRIVATE
        ${PROJECT_SOURCE_DIR}/src/${layer} ${PROJECT_SOURCE_DIR}/tests/support)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_link_libraries(${target} PRIVATE
        cmw_warnings ${arg_LIBRARIES} catzilla-mw-whitebox PkgConfig::CMOCKA)
    set_target_properties(${target} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/tests)
    add_test(NAME unit.${layer}.${module} COMMAND ${target}
        WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    set_tests_properties(unit.${layer}.${module} PROPERTIES
        LABELS "unit;${arg_LABELS}" TIMEOUT 120
        ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# cmw_add_header_check(<name> <language> <standard>)
# The CTest test header.<name>: every public header of what this build offers compiles alone,
# included twice, under -Wall -Wextra -Wpedantic -Werror. The objects are built by the test.
function(cmw_add_header_check name language standard)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include
        ${PROJECT_SOURCE_DIR}/include/catzilla/*.h)
    string(TOLOWER ${language} extension)
    foreach(header IN LISTS headers)
        if(header MATCHES "/(component|adapter)/([a-z0-9_]+)\\.h$")
            string(TOUPPER ${CMAKE_MATCH_2} option)
            if(NOT CMW_${option})
                message(STATUS "header check ${name}: ${header} left out, CMW_${option} is off")
                continue()
            endif()
            if(TARGET PkgConfig::${option})
                list(APPEND libraries PkgConfig::${option})
            endif()
        endif()
        string(MAKE_C_IDENTIFIER ${header} unit)
        set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}/${unit}.${extension})
        # The last line: ISO C allows no empty translation unit.
        file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
            "#include <@header@>\n#include <@header@>\ntypedef int cmw_not_empty;\n")
        list(APPEND sources ${source})
    endforeach()

    set(target cmw-header-${name})
    add_library(${target} OBJECT EXCLUDE_FROM_ALL ${sources})
    set_target_properties(${target} PROPERTIES
        ${language}_STANDARD ${standard}
        ${language}_STANDARD_REQUIRED ON
        ${language}_EXTENSIONS OFF)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(${target} PRIVATE ${libraries})
    target_compile_options(${target} PRIVATE
        $<IF:$<BOOL:${MSVC}>,/W4;/WX,-Wall;-Wextra;-Wpedantic;-Werror>)
    add_test(NAME header.${name}
        COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target ${target})
    set_tests_properties(header.${name} PROPERTIES RESOURCE_LOCK build_tree LABELS header)
endfunction()
