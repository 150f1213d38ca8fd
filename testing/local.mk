# local.mk: the library for tests of plugins outside the tree (<smtpd/testing.h>). It is an archive, so that a test program has all
# that a plugin which it opens may need.
lib_LTLIBRARIES = testing/libsmtpd_testing.la
testing_libsmtpd_testing_la_SOURCES = testing/testing.cc
testing_libsmtpd_testing_la_CPPFLAGS = $(core_cppflags) -I$(top_srcdir)/tests
testing_libsmtpd_testing_la_LDFLAGS = -static $(SANITIZER_FLAGS)
testing_libsmtpd_testing_la_LIBADD = libsmtpd_core.la

pkgconfig_DATA += smtpd-testing.pc
CLEANFILES += smtpd-testing.pc
EXTRA_DIST += testing/smtpd-testing.pc.in
smtpd-testing.pc: $(top_srcdir)/testing/smtpd-testing.pc.in Makefile
	$(AM_V_GEN)$(fill_in) $(top_srcdir)/testing/smtpd-testing.pc.in | $(SED) -e '/^prefix=/!s|=$(prefix)/|=$${prefix}/|' >$@.tmp && mv -f $@.tmp $@
