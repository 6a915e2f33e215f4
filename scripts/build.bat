@echo off
rem SPDX-License-Identifier: MIT
rem Builds into build\<preset>.  build.bat [preset]   (default: nojemalloc)
rem Needs CMake, Ninja and a C compiler (MSVC's developer prompt, or mingw-w64) on the path.
setlocal
cd /d "%~dp0.."
set PRESET=%1
if "%PRESET%"=="" set PRESET=nojemalloc
cmake --preset %PRESET% -DCMW_BUILD_TESTS=OFF || exit /b 1
cmake --build --preset %PRESET% || exit /b 1
