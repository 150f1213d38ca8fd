# conf/local.mk: what an operator starts from. Installed as examples, never over a site's own files.

exampledir = $(datadir)/smtpd
dist_example_DATA = conf/quickstart.conf.in conf/submission.conf
example_DATA = conf/smtpd.load conf/smtpd.conf
EXTRA_DIST += conf/smtpd.load.in conf/smtpd.conf.in
CLEANFILES += $(example_DATA)

example_controldir = $(exampledir)/control
dist_example_control_DATA = \
	conf/control/badmailfrom \
	conf/control/badrcptto \
	conf/control/me \
	conf/control/plugins \
	conf/control/rcpthosts \
	conf/control/relayclients

example_fail2bandir = $(exampledir)/fail2ban
dist_example_fail2ban_DATA = conf/fail2ban/smtpd.conf

conf/smtpd.load: $(top_srcdir)/conf/smtpd.load.in Makefile
	$(AM_V_GEN)$(MKDIR_P) conf && $(fill_in) $(top_srcdir)/conf/smtpd.load.in >$@.tmp && mv -f $@.tmp $@

conf/smtpd.conf: $(top_srcdir)/conf/smtpd.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) conf && $(fill_in) $(top_srcdir)/conf/smtpd.conf.in >$@.tmp && mv -f $@.tmp $@
