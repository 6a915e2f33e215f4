# SPDX-License-Identifier: MIT
# CMW_HAVE_AVX2: files may be compiled for AVX2 and BMI, to be used only where the CPU has them.
include_guard(GLOBAL)
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_FLAGS "-mavx2 -mbmi")
check_c_source_compiles("
    #include <immintrin.h>
    #if !defined(__x86_64__)
    #error 64-bit registers are needed
    #endif
    int main(void)
    {
        __m256i block = _mm256_setzero_si256();
        return __builtin_cpu_supports(\"avx2\") ? _mm256_movemask_epi8(block) : 0;
    }" CMW_HAVE_AVX2)
unset(CMAKE_REQUIRED_FLAGS)
