dnl smtpd_libraries.m4: OpenSSL, c-ares, libidn2, PCRE2, SQLite, zlib and CppUnit, each by pkg-config; Berkeley DB, GDBM,
dnl libmaxminddb, libidn, libpsl, libpam, libldap, libcurl and jansson, which are optional.

dnl SMTPD_PKG(variable prefix, pkg-config name and version, what it is, Debian package, Fedora package)
AC_DEFUN([SMTPD_PKG], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  AS_IF([test -z "$PKG_CONFIG" && test -z "$smtpd_told_pkg_config"], [
    smtpd_told_pkg_config=yes
    SMTPD_MISSING([pkg-config], [pkg-config], [pkgconf-pkg-config])
  ])
  PKG_CHECK_MODULES([$1], [$2], [], [SMTPD_MISSING([$3], [$4], [$5])])
])

AC_DEFUN([SMTPD_CHECK_OPENSSL], [SMTPD_PKG([OPENSSL], [openssl >= 3.0], [OpenSSL 3 or newer], [libssl-dev], [openssl-devel])])
AC_DEFUN([SMTPD_CHECK_CARES], [SMTPD_PKG([CARES], [libcares >= 1.16], [c-ares 1.16 or newer], [libc-ares-dev], [c-ares-devel])])
AC_DEFUN([SMTPD_CHECK_IDN2], [SMTPD_PKG([IDN2], [libidn2 >= 2.0.5], [libidn2 2.0.5 or newer], [libidn2-dev], [libidn2-devel])])
AC_DEFUN([SMTPD_CHECK_PCRE2], [SMTPD_PKG([PCRE2], [libpcre2-8 >= 10.30], [PCRE2 (libpcre2-8)], [libpcre2-dev], [pcre2-devel])])
AC_DEFUN([SMTPD_CHECK_SQLITE], [SMTPD_PKG([SQLITE], [sqlite3 >= 3.35], [SQLite 3.35 or newer], [libsqlite3-dev], [sqlite-devel])])
AC_DEFUN([SMTPD_CHECK_ZLIB], [SMTPD_PKG([ZLIB], [zlib], [zlib], [zlib1g-dev], [zlib-devel])])

dnl SMTPD_CHECK_DBM: what smtpd-store needs to read the files of qpsmtpd in which karma and greylisting keep their
dnl state. Without a library it reads dumps of such files only; nothing else uses them.
AC_DEFUN([SMTPD_CHECK_DBM], [
  smtpd_dbm=
  AC_CHECK_HEADER([db.h], [AC_CHECK_LIB([db], [db_version], [
    DBM_LIBS="$DBM_LIBS -ldb"; DBM_CPPFLAGS="$DBM_CPPFLAGS -DHAVE_LIBDB"; smtpd_dbm="Berkeley DB"])])
  AC_CHECK_HEADER([gdbm.h], [AC_CHECK_LIB([gdbm], [gdbm_open], [
    DBM_LIBS="$DBM_LIBS -lgdbm"; DBM_CPPFLAGS="$DBM_CPPFLAGS -DHAVE_LIBGDBM"; smtpd_dbm="${smtpd_dbm:+$smtpd_dbm, }GDBM"])])
  AS_IF([test -z "$smtpd_dbm"], [smtpd_dbm="text dumps only (libdb-dev or libdb-devel, libgdbm-dev or gdbm-devel are missing)"])
  AC_SUBST([DBM_LIBS])
  AC_SUBST([DBM_CPPFLAGS])
])

dnl SMTPD_CHECK_MAXMINDDB: what the plugin ident/geoip reads its databases with. Without it the plugin is built all the
dnl same, and says at configtest what is missing.
AC_DEFUN([SMTPD_CHECK_MAXMINDDB], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([MAXMINDDB], [libmaxminddb >= 1.3], [
    smtpd_maxminddb=yes
    MAXMINDDB_CPPFLAGS="$MAXMINDDB_CFLAGS -DHAVE_MAXMINDDB"
  ], [
    smtpd_maxminddb="no (libmaxminddb-dev or libmaxminddb-devel is missing)"
    MAXMINDDB_CPPFLAGS=
    AC_MSG_WARN([libmaxminddb was not found, so the plugin ident/geoip will not work: install libmaxminddb-dev (Debian, Ubuntu) or libmaxminddb-devel (Fedora, RHEL)])
  ])
  AC_SUBST([MAXMINDDB_CPPFLAGS])
])

dnl SMTPD_CHECK_STRINGPREP: what names and passwords beyond ASCII are prepared with (SASLprep). Without it they are
dnl compared as they are sent.
AC_DEFUN([SMTPD_CHECK_STRINGPREP], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([STRINGPREP], [libidn >= 1.25], [
    smtpd_stringprep=yes
    STRINGPREP_CPPFLAGS="$STRINGPREP_CFLAGS -DHAVE_STRINGPREP"
  ], [
    smtpd_stringprep="no (libidn-dev or libidn-devel is missing)"
    STRINGPREP_CPPFLAGS=
    AC_MSG_WARN([libidn was not found, so names and passwords of AUTH are compared as they are sent: install libidn-dev (Debian, Ubuntu) or libidn-devel (Fedora, RHEL)])
  ])
  AC_SUBST([STRINGPREP_CPPFLAGS])
])

dnl SMTPD_CHECK_PSL: what reads lists of public suffixes, for DMARC by RFC 7489. Without it the plugin dmarc does RFC 9989
dnl only, and says so at configtest.
AC_DEFUN([SMTPD_CHECK_PSL], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([PSL], [libpsl >= 0.16], [
    smtpd_psl=yes
    PSL_CPPFLAGS="$PSL_CFLAGS -DHAVE_PSL"
  ], [
    smtpd_psl="no (libpsl-dev or libpsl-devel is missing)"
    PSL_CPPFLAGS=
    AC_MSG_WARN([libpsl was not found, so rfc=7489 of the plugin dmarc will not work: install libpsl-dev (Debian, Ubuntu) or libpsl-devel (Fedora, RHEL)])
  ])
  AC_SUBST([PSL_CPPFLAGS])
])

dnl SMTPD_CHECK_PAM: what the plugin auth/auth_pam asks. Without it the plugin is built all the same, and says at
dnl configtest what is missing.
AC_DEFUN([SMTPD_CHECK_PAM], [
  smtpd_pam="no (libpam0g-dev or pam-devel is missing)"
  AC_CHECK_HEADER([security/pam_appl.h], [AC_CHECK_LIB([pam], [pam_start], [
    smtpd_pam=yes
    PAM_CPPFLAGS=-DHAVE_PAM
    PAM_LIBS=-lpam
    AC_CHECK_LIB([pam], [pam_start_confdir], [PAM_CPPFLAGS="$PAM_CPPFLAGS -DHAVE_PAM_START_CONFDIR"])
  ])])
  AS_IF([test "$smtpd_pam" != yes],
    [AC_MSG_WARN([libpam was not found, so the plugin auth/auth_pam will not work: install libpam0g-dev (Debian, Ubuntu) or pam-devel (Fedora, RHEL)])])
  AC_SUBST([PAM_CPPFLAGS])
  AC_SUBST([PAM_LIBS])
])

dnl SMTPD_CHECK_LDAP: what the plugin auth/auth_ldap_bind asks directories with. Without it the plugin is built all the
dnl same, and says at configtest what is missing. Before OpenLDAP 2.5, libldap_r is the one for programs with threads.
AC_DEFUN([SMTPD_CHECK_LDAP], [
  smtpd_ldap="no (libldap-dev or openldap-devel is missing)"
  AC_CHECK_HEADER([ldap.h], [
    AC_CHECK_LIB([ldap_r], [ldap_initialize], [LDAP_LIBS="-lldap_r -llber"], [AC_CHECK_LIB([ldap], [ldap_initialize], [LDAP_LIBS="-lldap -llber"])])
  ])
  AS_IF([test -n "$LDAP_LIBS"], [
    smtpd_ldap=yes
    LDAP_CPPFLAGS=-DHAVE_LDAP
  ], [
    AC_MSG_WARN([libldap was not found, so the plugin auth/auth_ldap_bind will not work: install libldap-dev (Debian, Ubuntu) or openldap-devel (Fedora, RHEL)])
  ])
  AC_SUBST([LDAP_CPPFLAGS])
  AC_SUBST([LDAP_LIBS])
])

dnl SMTPD_CHECK_CURL, SMTPD_CHECK_JANSSON: what the plugin auth/auth_oauth asks authorization servers with, and reads
dnl their answers with. Without both the plugin is built all the same, and says at configtest what is missing. smtpd-auth
dnl reads zones in JSON with jansson.
AC_DEFUN([SMTPD_CHECK_CURL], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([CURL], [libcurl >= 7.62], [
    smtpd_curl=yes
    CURL_CPPFLAGS="$CURL_CFLAGS -DHAVE_CURL"
  ], [
    smtpd_curl="no (libcurl4-openssl-dev or libcurl-devel is missing)"
    CURL_CPPFLAGS=
    AC_MSG_WARN([libcurl was not found, so the plugin auth/auth_oauth will not work: install libcurl4-openssl-dev (Debian, Ubuntu) or libcurl-devel (Fedora, RHEL)])
  ])
  AC_SUBST([CURL_CPPFLAGS])
])

AC_DEFUN([SMTPD_CHECK_JANSSON], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([JANSSON], [jansson >= 2.8], [
    smtpd_jansson=yes
    JANSSON_CPPFLAGS="$JANSSON_CFLAGS -DHAVE_JANSSON"
  ], [
    smtpd_jansson="no (libjansson-dev or jansson-devel is missing)"
    JANSSON_CPPFLAGS=
    AC_MSG_WARN([jansson was not found, so the plugin auth/auth_oauth will not work, and smtpd-auth cannot read zones in JSON: install libjansson-dev (Debian, Ubuntu) or jansson-devel (Fedora, RHEL)])
  ])
  AC_SUBST([JANSSON_CPPFLAGS])
])

dnl SMTPD_CHECK_CPPUNIT: without it everything but the unit tests can be built; "make check" then fails and names the
dnl package.
AC_DEFUN([SMTPD_CHECK_CPPUNIT], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([CPPUNIT], [cppunit >= 1.12], [smtpd_have_cppunit=yes], [
    smtpd_have_cppunit="no (CppUnit is missing)"
    AC_MSG_WARN([CppUnit was not found, so "make check" cannot run: install libcppunit-dev (Debian, Ubuntu) or cppunit-devel (Fedora, RHEL)])
  ])
  AM_CONDITIONAL([CPPUNIT], [test "$smtpd_have_cppunit" = yes])
])

dnl SMTPD_CHECK_PYTHON: PYTHON, a python3 that has pytest. The system's own is asked first: another one earlier in PATH
dnl rarely has the packages.
AC_DEFUN([SMTPD_CHECK_PYTHON], [
  AC_ARG_VAR([PYTHON], [python3 with pytest, for the tests against a real httpd])
  AC_CACHE_CHECK([for a python3 with pytest], [smtpd_cv_python], [
    smtpd_cv_python=none
    for smtpd_python in $PYTHON /usr/bin/python3 python3; do
      AS_IF(["$smtpd_python" -c 'import pytest' >/dev/null 2>&1], [smtpd_cv_python=$smtpd_python; break])
    done
  ])
  smtpd_have_pytest=yes
  PYTHON=$smtpd_cv_python
  AS_IF([test "$PYTHON" = none], [
    smtpd_have_pytest="no (pytest is missing)"
    PYTHON=python3
    AC_MSG_WARN([no python3 with pytest was found, so the tests against a real httpd cannot run: install python3-pytest])
  ])
  AM_CONDITIONAL([PYTEST], [test "$smtpd_have_pytest" = yes])
])
