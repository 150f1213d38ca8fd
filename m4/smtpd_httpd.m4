dnl smtpd_httpd.m4: httpd through its apxs, APR and APR-util through the configuration programs that httpd was built
dnl with.

dnl SMTPD_CHECK_HTTPD: APXS, HTTPD, HTTPD_CPPFLAGS, HTTPD_MODULES (the stock modules' directory), HTTPD_VERSION,
dnl HTTPD_SYSCONFDIR (where its configuration is), HTTPD_CONF (the file that it reads unless told otherwise).
AC_DEFUN([SMTPD_CHECK_HTTPD], [
  AC_ARG_WITH([apxs], [AS_HELP_STRING([--with-apxs=PATH], [apxs of the httpd to build for (default: apxs or apxs2 in PATH)])],
    [APXS=$withval], [APXS=])
  AS_CASE([$APXS],
    [''|yes], [AC_PATH_PROGS([APXS], [apxs apxs2], [], [$PATH$PATH_SEPARATOR/usr/local/apache2/bin$PATH_SEPARATOR/usr/sbin])],
    [no], [AC_MSG_ERROR([mod_smtpd cannot be built without apxs: --without-apxs is not possible])],
    [AS_IF([test ! -x "$APXS"], [AC_MSG_ERROR([--with-apxs=$APXS: there is no such program])])])
  AS_IF([test -z "$APXS"], [
    SMTPD_MISSING([httpd's development files: apxs (if it is not in PATH, say --with-apxs=PATH)], [apache2-bin apache2-dev], [httpd httpd-devel])
  ], [
    HTTPD_INCLUDEDIR=`$APXS -q INCLUDEDIR`
    HTTPD_MODULES=`$APXS -q LIBEXECDIR`
    HTTPD_CPPFLAGS="-I$HTTPD_INCLUDEDIR"
    HTTPD_SYSCONFDIR=`$APXS -q SYSCONFDIR`
    HTTPD_CONF=$HTTPD_SYSCONFDIR/`$APXS -q TARGET`.conf
    smtpd_httpd_name=`$APXS -q PROGNAME 2>/dev/null`
    AS_IF([test -z "$smtpd_httpd_name"], [smtpd_httpd_name=`$APXS -q TARGET`])
    AC_PATH_PROGS([HTTPD], ["$smtpd_httpd_name" httpd apache2], [], [`$APXS -q SBINDIR`$PATH_SEPARATOR`$APXS -q BINDIR 2>/dev/null`])
    AS_IF([test -z "$HTTPD"], [SMTPD_MISSING([the httpd program that belongs to $APXS], [apache2-bin], [httpd])])
    AC_MSG_CHECKING([for httpd 2.4 headers in $HTTPD_INCLUDEDIR])
    HTTPD_VERSION=
    for smtpd_part in MAJORVERSION MINORVERSION PATCHLEVEL; do
      smtpd_number=`$SED -n "s/^#define AP_SERVER_${smtpd_part}_NUMBER *//p" "$HTTPD_INCLUDEDIR/ap_release.h" 2>/dev/null`
      HTTPD_VERSION="${HTTPD_VERSION:+$HTTPD_VERSION.}$smtpd_number"
    done
    AC_MSG_RESULT([${HTTPD_VERSION:-none}])
    AS_CASE([$HTTPD_VERSION],
      [2.4.*], [],
      [''], [SMTPD_MISSING([httpd's headers in $HTTPD_INCLUDEDIR], [apache2-dev], [httpd-devel])],
      [SMTPD_MISSING([httpd 2.4 (found $HTTPD_VERSION)], [apache2-bin apache2-dev], [httpd httpd-devel])])
  ])
  AC_SUBST([HTTPD_MODULES])
  AC_SUBST([HTTPD_CPPFLAGS])
  AC_SUBST([HTTPD_VERSION])
  AC_SUBST([HTTPD_CONF])
  AC_SUBST([HTTPD_SYSCONFDIR])
])

dnl SMTPD_CHECK_APR: APR_CPPFLAGS, APR_LIBS for APR and APR-util together.
AC_DEFUN([SMTPD_CHECK_APR], [
  AS_IF([test -n "$APXS"], [
    APR_CONFIG=`$APXS -q APR_CONFIG 2>/dev/null`
    APU_CONFIG=`$APXS -q APU_CONFIG 2>/dev/null`
  ])
  AS_IF([test ! -x "$APR_CONFIG"], [APR_CONFIG=; AC_PATH_PROGS([APR_CONFIG], [apr-1-config apr-2-config])])
  AS_IF([test ! -x "$APU_CONFIG"], [APU_CONFIG=; AC_PATH_PROGS([APU_CONFIG], [apu-1-config])])
  AC_MSG_CHECKING([for APR])
  AS_IF([test -n "$APR_CONFIG"], [
    smtpd_version=`$APR_CONFIG --version`; AC_MSG_RESULT([$smtpd_version ($APR_CONFIG)])
    APR_CPPFLAGS="`$APR_CONFIG --cppflags` `$APR_CONFIG --includes`"
    APR_LIBS=`$APR_CONFIG --link-ld`
  ], [
    AC_MSG_RESULT([no])
    SMTPD_MISSING([APR (apr-1-config)], [libapr1-dev], [apr-devel])
  ])
  AC_MSG_CHECKING([for APR-util])
  AS_IF([test -n "$APU_CONFIG"], [
    smtpd_version=`$APU_CONFIG --version`; AC_MSG_RESULT([$smtpd_version ($APU_CONFIG)])
    APR_CPPFLAGS="$APR_CPPFLAGS `$APU_CONFIG --includes`"
    APR_LIBS="`$APU_CONFIG --link-ld` $APR_LIBS"
  ], [
    AC_MSG_RESULT([no])
    SMTPD_MISSING([APR-util (apu-1-config)], [libaprutil1-dev], [apr-util-devel])
  ])
  dnl The compiler's own directory named once more would only change its place in the search order.
  APR_CPPFLAGS=`AS_ECHO(["$APR_CPPFLAGS "]) | $SED 's| -I/usr/include | |g'`
  AC_SUBST([APR_CPPFLAGS])
  AC_SUBST([APR_LIBS])
])
