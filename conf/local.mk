# conf/local.mk: sample configurations. They are installed as examples, and never replace a site's own files.

exampledir = $(datadir)/smtpd
dist_example_DATA = conf/quickstart.conf.in conf/submission.conf conf/mods-available.conf
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

# Debian: the files that a2enmod links. An existing smtpd.conf belongs to the site and stays.
install-mods-available: conf/smtpd.load
	test "$(modsavailabledir)" = no || { \
	    $(MKDIR_P) "$(DESTDIR)$(modsavailabledir)" && \
	    $(INSTALL_DATA) conf/smtpd.load "$(DESTDIR)$(modsavailabledir)/smtpd.load" && \
	    { test -e "$(DESTDIR)$(modsavailabledir)/smtpd.conf" || \
	      $(INSTALL_DATA) $(top_srcdir)/conf/mods-available.conf "$(DESTDIR)$(modsavailabledir)/smtpd.conf"; }; }
uninstall-mods-available:
	test "$(modsavailabledir)" = no || { \
	    rm -f "$(DESTDIR)$(modsavailabledir)/smtpd.load"; \
	    ! cmp -s $(top_srcdir)/conf/mods-available.conf "$(DESTDIR)$(modsavailabledir)/smtpd.conf" || \
	    rm -f "$(DESTDIR)$(modsavailabledir)/smtpd.conf"; }
.PHONY: install-mods-available uninstall-mods-available
