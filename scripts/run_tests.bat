@echo off
rem SPDX-License-Identifier: MIT
rem Builds with tests and runs them.  run_tests.bat [preset]   (default: nojemalloc)
rem Needs CMake, Ninja, a C and a C++ compiler, pkg-config and cmocka on the path.
setlocal
cd /d "%~dp0.."
set PRESET=%1
if "%PRESET%"=="" set PRESET=nojemalloc
cmake --preset %PRESET% -DCMW_BUILD_TESTS=ON || exit /b 1
cmake --build --preset %PRESET% || exit /b 1
ctest --preset %PRESET% || exit /b 1
