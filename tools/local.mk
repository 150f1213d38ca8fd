# tools/local.mk: commands for administrators, each with a page for man(1) in docs/.

tool_cppflags = $(core_cppflags) -I$(top_srcdir)

bin_PROGRAMS += tools/smtpd-auth tools/smtpd-dkim-keygen tools/smtpd-dmarc-report tools/smtpd-karma tools/smtpd-store \
	tools/smtpd-try
tools_smtpd_auth_SOURCES = \
	tools/auth_ar_parse.cc \
	tools/auth_arc.cc \
	tools/auth_check.cc \
	tools/auth_command.cc \
	tools/auth_command.h \
	tools/auth_dkim.cc \
	tools/auth_dmarc.cc \
	tools/auth_evaluation.cc \
	tools/auth_evaluation.h \
	tools/auth_json_zone.cc \
	tools/auth_json_zone.h \
	tools/auth_message.cc \
	tools/auth_message.h \
	tools/auth_spf.cc \
	tools/auth_spf_request.h \
	tools/auth_srs.cc \
	tools/command.cc \
	tools/command.h \
	tools/smtpd_auth.cc \
	tools/version.cc \
	tools/version.h
tools_smtpd_auth_CPPFLAGS = $(tool_cppflags) $(JANSSON_CPPFLAGS)
tools_smtpd_auth_LDFLAGS = $(program_ldflags) $(whole_core)
tools_smtpd_auth_LDADD = $(core_libs) $(JANSSON_LIBS)
tools_smtpd_auth_DEPENDENCIES = libsmtpd_core.la
tools_smtpd_dmarc_report_SOURCES = \
	tools/auth_command.cc \
	tools/auth_command.h \
	tools/auth_evaluation.cc \
	tools/auth_evaluation.h \
	tools/auth_json_zone.cc \
	tools/auth_json_zone.h \
	tools/command.cc \
	tools/command.h \
	tools/dmarc_reporter.cc \
	tools/dmarc_reporter.h \
	tools/opened_store.cc \
	tools/opened_store.h \
	tools/smtpd_dmarc_report.cc \
	tools/version.cc \
	tools/version.h
tools_smtpd_dmarc_report_CPPFLAGS = $(tool_cppflags) $(JANSSON_CPPFLAGS) $(ZLIB_CFLAGS) -DSMTPD_STATE_DIR='"$(statedir)"'
tools_smtpd_dmarc_report_LDFLAGS = $(program_ldflags) $(whole_core)
tools_smtpd_dmarc_report_LDADD = $(core_libs) $(JANSSON_LIBS) $(ZLIB_LIBS)
tools_smtpd_dmarc_report_DEPENDENCIES = libsmtpd_core.la
tools_smtpd_dkim_keygen_SOURCES = \
	tools/command.cc \
	tools/command.h \
	tools/smtpd_dkim_keygen.cc \
	tools/version.cc \
	tools/version.h
tools_smtpd_dkim_keygen_CPPFLAGS = $(tool_cppflags)
tools_smtpd_dkim_keygen_LDFLAGS = $(program_ldflags) $(whole_core)
tools_smtpd_dkim_keygen_LDADD = $(core_libs)
tools_smtpd_dkim_keygen_DEPENDENCIES = libsmtpd_core.la
tools_smtpd_karma_SOURCES = \
	tools/command.cc \
	tools/command.h \
	tools/opened_store.cc \
	tools/opened_store.h \
	tools/smtpd_karma.cc \
	tools/version.cc \
	tools/version.h
tools_smtpd_karma_CPPFLAGS = $(tool_cppflags) -DSMTPD_STATE_DIR='"$(statedir)"'
tools_smtpd_karma_LDFLAGS = $(program_ldflags) $(whole_core)
tools_smtpd_karma_LDADD = $(core_libs)
tools_smtpd_karma_DEPENDENCIES = libsmtpd_core.la
tools_smtpd_store_SOURCES = \
	tools/command.cc \
	tools/command.h \
	tools/dbm_file.cc \
	tools/dbm_file.h \
	tools/opened_store.cc \
	tools/opened_store.h \
	tools/smtpd_store.cc \
	tools/version.cc \
	tools/version.h
tools_smtpd_store_CPPFLAGS = $(tool_cppflags) $(DBM_CPPFLAGS) -DSMTPD_STATE_DIR='"$(statedir)"'
tools_smtpd_store_LDFLAGS = $(program_ldflags) $(whole_core)
tools_smtpd_store_LDADD = $(core_libs) $(DBM_LIBS)
tools_smtpd_store_DEPENDENCIES = libsmtpd_core.la
tools_smtpd_try_SOURCES = \
	tools/child_program.cc \
	tools/child_program.h \
	tools/smtpd_try.cc \
	tools/version.cc \
	tools/version.h
tools_smtpd_try_CPPFLAGS = $(tool_cppflags) -DSMTPD_HTTPD='"$(HTTPD)"' -DSMTPD_HTTPD_CONF='"$(HTTPD_CONF)"'
tools_smtpd_try_LDFLAGS = $(program_ldflags) $(whole_core)
tools_smtpd_try_LDADD = $(core_libs)
tools_smtpd_try_DEPENDENCIES = libsmtpd_core.la

bin_SCRIPTS = tools/smtpd-plugin tools/smtpd-setup
EXTRA_DIST += tools/smtpd-plugin.in tools/smtpd-setup.in
CLEANFILES += tools/smtpd-plugin tools/smtpd-setup
tools/smtpd-setup: $(top_srcdir)/tools/smtpd-setup.in Makefile
	$(AM_V_GEN)$(MKDIR_P) tools && $(fill_in) $(top_srcdir)/tools/smtpd-setup.in >$@.tmp && chmod +x $@.tmp && mv -f $@.tmp $@
tools/smtpd-plugin: $(top_srcdir)/tools/smtpd-plugin.in Makefile
	$(AM_V_GEN)$(MKDIR_P) tools && $(fill_in) $(top_srcdir)/tools/smtpd-plugin.in >$@.tmp && chmod +x $@.tmp && mv -f $@.tmp $@
