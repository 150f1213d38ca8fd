dnl smtpd_dirs.m4: where the module and its plugins go.

dnl SMTPD_ARG_DIRS: --with-moduledir, --with-plugindir. The plugins' directory has one folder for each kind (queue, logging, ...).
AC_DEFUN([SMTPD_ARG_DIRS], [
  AC_ARG_WITH([moduledir], [AS_HELP_STRING([--with-moduledir=DIR], [where mod_smtpd.so goes (default: the directory of httpd's modules)])],
    [moduledir=$withval], [moduledir=$HTTPD_MODULES])
  AC_ARG_WITH([plugindir], [AS_HELP_STRING([--with-plugindir=DIR], [where the plugins go (default: smtpd/ in the module's directory)])],
    [plugindir=$withval], [plugindir=$moduledir/smtpd])
  AS_CASE(["$moduledir"], [yes|no|''], [AC_MSG_ERROR([--with-moduledir needs a directory])])
  AS_CASE(["$plugindir"], [yes|no|''], [AC_MSG_ERROR([--with-plugindir needs a directory])])
  AC_SUBST([moduledir])
  AC_SUBST([plugindir])
])
