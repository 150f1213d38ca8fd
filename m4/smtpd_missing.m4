dnl smtpd_missing.m4: collects what configure does not find, and reports it once with the packages that bring it.

dnl SMTPD_MISSING(what, Debian/Ubuntu package, Fedora/RHEL package)
AC_DEFUN([SMTPD_MISSING], [
  smtpd_missing="${smtpd_missing}
    $1"
  smtpd_missing_deb="$smtpd_missing_deb $2"
  smtpd_missing_rpm="$smtpd_missing_rpm $3"
])

dnl SMTPD_REPORT_MISSING: fails if anything was noted.
AC_DEFUN([SMTPD_REPORT_MISSING], [
  AS_IF([test -n "$smtpd_missing"], [
    AC_MSG_ERROR([this is needed to build mod_smtpd and was not found:
$smtpd_missing

Install it and run configure again:
    Debian, Ubuntu:  apt-get install$smtpd_missing_deb
    Fedora, RHEL:    dnf install$smtpd_missing_rpm])
  ])
])

dnl SMTPD_SUMMARY: what was configured, printed last.
AC_DEFUN([SMTPD_SUMMARY], [
  AS_ECHO(["
mod_smtpd $PACKAGE_VERSION
  compiler     $CXX $CXXFLAGS $SANITIZER_FLAGS
  httpd        $HTTPD ($HTTPD_VERSION)
  module to    $moduledir
  plugins to   $plugindir
  state in     $statedir
  qpsmtpd's db $smtpd_dbm
  ident/geoip  $smtpd_maxminddb
  auth_pam     $smtpd_pam
  LDAP         $smtpd_ldap
  libcurl      $smtpd_curl
  jansson      $smtpd_jansson
  SASLprep     $smtpd_stringprep
  libpsl       $smtpd_psl
  unit tests   $smtpd_have_cppunit
  server tests $smtpd_have_pytest
"])
])
