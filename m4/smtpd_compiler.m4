dnl smtpd_compiler.m4: the compiler, the flags every object needs, sanitizers and fuzzing.

dnl SMTPD_CHECK_TOOLS: a machine without a compiler is told which package has one, before autoconf's own check ends the
dnl run.
AC_DEFUN([SMTPD_CHECK_TOOLS], [
  AC_BEFORE([$0], [AC_PROG_CC])
  AC_BEFORE([$0], [AC_PROG_CXX])
  : "${CXXFLAGS=-O2 -g}"
  : "${CFLAGS=-O2 -g}"
  AC_ARG_VAR([CXXFLAGS], [C++ compiler flags (default: -O2 -g)])
  AS_IF([test -z "$CXX"], [
    AC_CHECK_PROGS([smtpd_some_cxx], [g++ clang++ c++], [no])
    AS_IF([test "$smtpd_some_cxx" = no], [
      AC_MSG_ERROR([no C++ compiler was found. Install one and run configure again:
    Debian, Ubuntu:  apt-get install g++
    Fedora, RHEL:    dnf install gcc-c++])
    ])
  ])
])

dnl SMTPD_CXX20: C++20 with the parts of the library that the sources use.
AC_DEFUN([SMTPD_CXX20], [
  AC_LANG_PUSH([C++])
  AC_CACHE_CHECK([for a C++20 compiler and library], [smtpd_cv_cxx20], [
    smtpd_saved_CXXFLAGS=$CXXFLAGS
    CXXFLAGS="$CXXFLAGS -std=c++20"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
template <std::integral T> T twice(T value) { return value + value; }
struct Options { int first = 0; int second = 0; };
      ]], [[
std::span<const char> bytes{"abc", 3};
const Options options{.first = 1, .second = twice(2)};
return std::string_view{bytes.data(), bytes.size()}.starts_with("ab") && options.second == 4 ? 0 : 1;
      ]])], [smtpd_cv_cxx20=yes], [smtpd_cv_cxx20=no])
    CXXFLAGS=$smtpd_saved_CXXFLAGS
  ])
  AC_LANG_POP([C++])
  AS_IF([test "$smtpd_cv_cxx20" = no], [SMTPD_MISSING([a C++20 compiler: g++ 12 or clang++ 14, or newer ($CXX is too old)], [g++], [gcc-c++])])
])

dnl SMTPD_ADD_FLAG(variable, flag): adds the flag if the compiler takes it without a warning.
AC_DEFUN([SMTPD_ADD_FLAG], [
  AS_VAR_PUSHDEF([smtpd_cache], [smtpd_cv_flag_$2])
  AC_CACHE_CHECK([whether $CXX accepts $2], [smtpd_cache], [
    smtpd_saved_CXXFLAGS=$CXXFLAGS
    CXXFLAGS="$CXXFLAGS -Werror $2"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([smtpd_cache], [yes])], [AS_VAR_SET([smtpd_cache], [no])])
    CXXFLAGS=$smtpd_saved_CXXFLAGS
  ])
  AS_VAR_IF([smtpd_cache], [yes], [$1="[$]$1 $2"])
  AS_VAR_POPDEF([smtpd_cache])
])

dnl SMTPD_ARG_WERROR: --enable-werror.
AC_DEFUN([SMTPD_ARG_WERROR], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])], [], [enable_werror=no])
])

dnl SMTPD_CXX_FLAGS: SMTPD_CXXFLAGS, for every object of ours, and PLUGIN_CXXFLAGS, the part of it that a plugin built
dnl elsewhere needs as well.
dnl
dnl Hidden visibility, because httpd opens modules RTLD_GLOBAL. No unique symbols, because one keeps a DSO mapped over
dnl httpd's two configuration passes and with it every static of the first pass; clang makes none and does not know the
dnl flag.
AC_DEFUN([SMTPD_CXX_FLAGS], [
  AC_LANG_PUSH([C++])
  PLUGIN_CXXFLAGS="-std=c++20 -fPIC -fvisibility=hidden -fvisibility-inlines-hidden"
  SMTPD_ADD_FLAG([PLUGIN_CXXFLAGS], [-fno-gnu-unique])
  SMTPD_CXXFLAGS="-std=c++20 -fvisibility=hidden -fvisibility-inlines-hidden"
  SMTPD_ADD_FLAG([SMTPD_CXXFLAGS], [-fno-gnu-unique])
  SMTPD_CXXFLAGS="$SMTPD_CXXFLAGS -Wall -Wextra"
  AS_IF([test "$enable_werror" = yes], [SMTPD_CXXFLAGS="$SMTPD_CXXFLAGS -Werror"])
  AC_SUBST([PLUGIN_CXXFLAGS])
  AC_SUBST([SMTPD_CXXFLAGS])
  AC_LANG_POP([C++])
])

dnl SMTPD_ARG_PRECOMPILED_HEADERS: --enable-precompiled-headers, for a build that is made once (bootstrap run). g++
dnl only: clang names its files otherwise. Not with ccache, which does not know that such a file has changed.
AC_DEFUN([SMTPD_ARG_PRECOMPILED_HEADERS], [
  AC_ARG_ENABLE([precompiled-headers],
    [AS_HELP_STRING([--enable-precompiled-headers],
      [read the common headers once: a complete build takes two thirds of the time, a later one more (g++)])],
    [], [enable_precompiled_headers=no])
  AS_IF([test "$enable_precompiled_headers" = yes && test "$GXX" != yes],
    [AC_MSG_ERROR([--enable-precompiled-headers needs g++, and CXX is $CXX])])
  AM_CONDITIONAL([PRECOMPILED_HEADERS], [test "$enable_precompiled_headers" = yes])
])

dnl SMTPD_TRY_LINK(flags, if it links, if not)
AC_DEFUN([SMTPD_TRY_LINK], [
  AC_LANG_PUSH([C++])
  smtpd_saved_CXXFLAGS=$CXXFLAGS
  CXXFLAGS="$CXXFLAGS $1"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [smtpd_links=yes], [smtpd_links=no])
  CXXFLAGS=$smtpd_saved_CXXFLAGS
  AC_LANG_POP([C++])
  AS_IF([test "$smtpd_links" = yes], [$2], [$3])
])

dnl SMTPD_ARG_SANITIZERS: --enable-sanitizers=LIST sets SANITIZER_FLAGS and SANITIZERS.
AC_DEFUN([SMTPD_ARG_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST], [build with sanitizers: address,undefined (the default list) or thread])],
    [], [enable_sanitizers=no])
  AS_CASE([$enable_sanitizers], [yes], [enable_sanitizers=address,undefined], [no|''], [enable_sanitizers=])
  for smtpd_sanitizer in `AS_ECHO(["$enable_sanitizers"]) | tr ',' ' '`; do
    AS_CASE([$smtpd_sanitizer], [address|undefined|thread|leak], [],
      [AC_MSG_ERROR([--enable-sanitizers=$enable_sanitizers: "$smtpd_sanitizer" is not known; choose from address, undefined, leak, or thread alone])])
  done
  AS_CASE([,$enable_sanitizers,],
    [,thread,], [],
    [*,thread,*], [AC_MSG_ERROR([--enable-sanitizers=$enable_sanitizers: thread cannot be combined with another sanitizer])])
  SANITIZERS=$enable_sanitizers
  SANITIZER_FLAGS=
  AS_IF([test -n "$SANITIZERS"], [
    SANITIZER_FLAGS="-fsanitize=$SANITIZERS -fno-omit-frame-pointer"
    AS_CASE([,$SANITIZERS,], [*,undefined,*], [SANITIZER_FLAGS="$SANITIZER_FLAGS -fno-sanitize-recover=undefined"])
    AC_MSG_CHECKING([whether $CXX links with $SANITIZER_FLAGS])
    SMTPD_TRY_LINK([$SANITIZER_FLAGS], [AC_MSG_RESULT([yes])], [
      AC_MSG_RESULT([no])
      SMTPD_MISSING([the run-time libraries of -fsanitize=$SANITIZERS for $CXX], [libgcc-12-dev libclang-rt-dev], [libasan libubsan libtsan compiler-rt])
    ])
  ])
  AC_SUBST([SANITIZERS])
  AC_SUBST([SANITIZER_FLAGS])
])

dnl SMTPD_ARG_COVERAGE: --enable-coverage. Objects count which of their lines run; "make coverage" makes the report.
dnl After SMTPD_ARG_SANITIZERS.
AC_DEFUN([SMTPD_ARG_COVERAGE], [
  AC_ARG_ENABLE([coverage],
    [AS_HELP_STRING([--enable-coverage], [count which lines run; "make coverage" reports it (gcovr)])],
    [], [enable_coverage=no])
  AS_IF([test "$enable_coverage" = yes], [
    SANITIZER_FLAGS="$SANITIZER_FLAGS --coverage -fprofile-update=atomic"
    AC_CHECK_PROGS([GCOVR], [gcovr])
    AS_IF([test -z "$GCOVR"], [SMTPD_MISSING([gcovr, for --enable-coverage], [gcovr], [gcovr])])
  ])
  AM_CONDITIONAL([COVERAGE], [test "$enable_coverage" = yes])
])

dnl SMTPD_ARG_FUZZING: --enable-fuzzing. Objects are instrumented for coverage, the fuzz targets get libFuzzer's main().
AC_DEFUN([SMTPD_ARG_FUZZING], [
  AC_ARG_ENABLE([fuzzing], [AS_HELP_STRING([--enable-fuzzing], [build the fuzz targets; needs clang (CXX=clang++)])], [], [enable_fuzzing=no])
  FUZZER_LDFLAGS=
  AS_IF([test "$enable_fuzzing" = yes], [
    AC_MSG_CHECKING([whether $CXX has libFuzzer])
    SMTPD_TRY_LINK([-fsanitize=fuzzer-no-link], [AC_MSG_RESULT([yes])], [
      AC_MSG_RESULT([no])
      AC_MSG_ERROR([--enable-fuzzing needs clang with its run-time libraries: configure with CC=clang CXX=clang++.
    Debian, Ubuntu:  apt-get install clang libclang-rt-dev (Debian 12: libclang-rt-14-dev)
    Fedora, RHEL:    dnf install clang compiler-rt])
    ])
    SANITIZER_FLAGS="$SANITIZER_FLAGS -fsanitize=fuzzer-no-link"
    FUZZER_LDFLAGS="-fsanitize=fuzzer"
  ])
  AC_SUBST([FUZZER_LDFLAGS])
  AM_CONDITIONAL([FUZZING], [test "$enable_fuzzing" = yes])
])
