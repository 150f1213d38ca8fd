dnl smtpd_dirs.m4: where the module and its plugins go, and where the server keeps its state.

dnl SMTPD_ARG_DIRS: --with-moduledir, --with-plugindir, --with-statedir, --with-modsavailabledir. The plugins' directory
dnl has one folder for each kind (queue, logging, ...).
AC_DEFUN([SMTPD_ARG_DIRS], [
  AC_ARG_WITH([moduledir], [AS_HELP_STRING([--with-moduledir=DIR], [where mod_smtpd.so goes (default: the directory of httpd's modules)])],
    [moduledir=$withval], [moduledir=$HTTPD_MODULES])
  AC_ARG_WITH([plugindir], [AS_HELP_STRING([--with-plugindir=DIR], [where the plugins go (default: smtpd/ in the module's directory)])],
    [plugindir=$withval], [plugindir=$moduledir/smtpd])
  AS_CASE(["$moduledir"], [yes|no|''], [AC_MSG_ERROR([--with-moduledir needs a directory])])
  AS_CASE(["$plugindir"], [yes|no|''], [AC_MSG_ERROR([--with-plugindir needs a directory])])
  AC_ARG_WITH([statedir], [AS_HELP_STRING([--with-statedir=DIR], [where the store is unless SmtpStore says otherwise (default: /var/lib/smtpd)])],
    [statedir=$withval], [statedir=/var/lib/smtpd])
  AS_CASE(["$statedir"], [/*], [], [AC_MSG_ERROR([--with-statedir needs an absolute directory])])
  AC_ARG_WITH([modsavailabledir],
    [AS_HELP_STRING([--with-modsavailabledir=DIR],
      [where Debian's a2enmod looks for smtpd.load and smtpd.conf (default: mods-available beside httpd's configuration,
       if it exists and the module goes to httpd's own directory)])],
    [modsavailabledir=$withval],
    [modsavailabledir=no
     AS_IF([test "$moduledir" = "$HTTPD_MODULES" && test -d "$HTTPD_SYSCONFDIR/mods-available"],
       [modsavailabledir=$HTTPD_SYSCONFDIR/mods-available])])
  AS_CASE(["$modsavailabledir"], [no|/*], [], [AC_MSG_ERROR([--with-modsavailabledir needs an absolute directory])])
  AC_SUBST([modsavailabledir])
  AC_SUBST([statedir])
  AC_SUBST([moduledir])
  AC_SUBST([plugindir])
])
