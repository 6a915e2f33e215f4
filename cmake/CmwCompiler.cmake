# SPDX-License-Identifier: MIT
# Flags for our own code: warnings as a target, sanitizers for the whole tree.

add_library(cmw_warnings INTERFACE)
if(MSVC)
    target_compile_options(cmw_warnings INTERFACE /W4 $<$<BOOL:${CMW_WERROR}>:/WX>)
else()
    target_compile_options(cmw_warnings INTERFACE
        -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wvla -Wformat=2 -Wundef
        -Wpointer-arith -Wcast-qual -Wwrite-strings
        $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
        $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
        $<$<BOOL:${CMW_WERROR}>:-Werror>)
endif()

if(CMW_FUZZ)
    # Coverage for libFuzzer everywhere; its main function only where a fuzz target links it.
    set(CMW_SANITIZE address)
    set(cmw_sanitize_flags -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
elseif(CMW_SANITIZE STREQUAL "address")
    set(cmw_sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(CMW_SANITIZE STREQUAL "thread")
    set(cmw_sanitize_flags -fsanitize=thread)
elseif(CMW_SANITIZE)
    message(FATAL_ERROR "CMW_SANITIZE is '${CMW_SANITIZE}'; it may be empty, 'address' or 'thread'")
endif()
if(CMW_SANITIZE)
    add_compile_options(${cmw_sanitize_flags} -fno-omit-frame-pointer -g)
    add_link_options(${cmw_sanitize_flags})
endif()
