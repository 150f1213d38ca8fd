# docs/local.mk: the manual. Pages go into the folder of the README, under their own names; pages for man(1) are added to dist_man_MANS.

manualdir = $(docdir)
nobase_dist_manual_DATA = \
	docs/architecture.md \
	docs/differences.md \
	docs/directives.md \
	docs/hooks.md \
	docs/log-ids.md \
	docs/migration.md \
	docs/recipients.md \
	docs/small-domain.md \
	docs/sample_plugin.cc docs/sample_test.cc \
	docs/submission.md \
	docs/tls.md \
	docs/types.md \
	docs/why-refused.md \
	docs/writing-a-plugin.md

dist_man_MANS += docs/smtpd-karma.1 docs/smtpd-plugin.1 docs/smtpd-setup.1 docs/smtpd-store.1 docs/smtpd-try.1

# The plugin reference: the index, and one page for each plugin, from its head comment and its table of options.
plugin_pages = docs/plugins.md $(plugin_modules:plugins/%.la=docs/plugins/%.md)
nobase_nodist_manual_DATA = $(plugin_pages)
EXTRA_DIST += docs/generate docs/html
CLEANFILES += $(plugin_pages) docs/.made

docs/.made: $(top_srcdir)/docs/generate $(plugin_modules:.la=.cc) tests/tools/smtpd-plugin-table$(EXEEXT) stage/.made
	$(AM_V_GEN)$(MKDIR_P) docs && $(top_srcdir)/docs/generate $(top_srcdir) docs tests/tools/smtpd-plugin-table$(EXEEXT) stage/plugins && touch $@
$(plugin_pages): docs/.made
	@test -f $@ || { rm -f docs/.made; $(MAKE) $(AM_MAKEFLAGS) docs/.made; }

docs: $(plugin_pages)
.PHONY: docs

# The HTML manual, for make html and make install-html.
htmldir = $(docdir)/html
html-local: $(plugin_pages)
	$(PYTHON) $(top_srcdir)/docs/html $(top_srcdir) docs docs/site
install-html-local: html-local
	$(MKDIR_P) "$(DESTDIR)$(htmldir)" && cp -R docs/site/. "$(DESTDIR)$(htmldir)/"
uninstall-local:
	rm -rf "$(DESTDIR)$(htmldir)"
