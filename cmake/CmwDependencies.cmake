# SPDX-License-Identifier: MIT
# What is looked for outside, each under the option that asks for it.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# cmw_require(<prefix> <pkg-config module> <Debian package> <option>)
# Defines PkgConfig::<prefix>, or stops with the package to install and the option to turn off.
function(cmw_require prefix module package option)
    find_package(PkgConfig QUIET)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(${prefix} QUIET IMPORTED_TARGET GLOBAL ${module})
    else()
        set(package "pkg-config ${package}")
    endif()
    if(NOT TARGET PkgConfig::${prefix})
        message(FATAL_ERROR "${option} is ON and needs ${module}, which was not found.\n"
            "Install it (Debian: apt-get install ${package}) or configure with -D${option}=OFF.")
    endif()
endfunction()

if(CMW_JEMALLOC)
    cmw_require(JEMALLOC jemalloc libjemalloc-dev CMW_JEMALLOC)
endif()
if(CMW_CONFIG)
    cmw_require(JANSSON jansson libjansson-dev CMW_CONFIG)
endif()
if(CMW_MICROHTTPD)
    cmw_require(MICROHTTPD libmicrohttpd libmicrohttpd-dev CMW_MICROHTTPD)
endif()
if(CMW_EVHTTP)
    cmw_require(EVENT libevent libevent-dev CMW_EVHTTP)
endif()
if(CMW_H2O)
    cmw_require(H2O-EVLOOP libh2o-evloop libh2o-evloop-dev CMW_H2O)
endif()
if(CMW_CIVETWEB)
    find_library(CMW_CIVETWEB_LIBRARY civetweb) # it comes without a pkg-config file
    mark_as_advanced(CMW_CIVETWEB_LIBRARY)
    if(NOT CMW_CIVETWEB_LIBRARY OR NOT CMW_CIVETWEB_HEADER)
        message(FATAL_ERROR "CMW_CIVETWEB is ON and needs civetweb, which was not found.\n"
            "Install it (Debian: apt-get install libcivetweb-dev) or configure with -DCMW_CIVETWEB=OFF.")
    endif()
endif()
if(CMW_BUILD_TESTS)
    cmw_require(CMOCKA cmocka libcmocka-dev CMW_BUILD_TESTS)
    include(CheckLanguage)
    check_language(CXX)
    if(NOT CMAKE_CXX_COMPILER)
        message(FATAL_ERROR "CMW_BUILD_TESTS is ON and needs a C++ compiler for the header checks.\n"
            "Install it (Debian: apt-get install g++) or configure with -DCMW_BUILD_TESTS=OFF.")
    endif()
    enable_language(CXX)
endif()
