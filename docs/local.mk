# docs/local.mk: the manual. Pages are installed in the folder docs beside the README; man pages are added to
# dist_man_MANS.

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

dist_man_MANS += docs/smtpd-auth.1 docs/smtpd-dkim-keygen.1 docs/smtpd-dmarc-report.1 docs/smtpd-karma.1 docs/smtpd-plugin.1 \
	docs/smtpd-setup.1 docs/smtpd-store.1 docs/smtpd-try.1

# The plugin reference: a list of the plugins, and a page for each, from the comment at the top of its source and its
# table of options. The build makes it in docs/made, and installs it beside the other pages. docs/plugins.md is the list
# for readers of the source tree; its links lead to the sources.
plugin_pages = docs/made/plugins.md $(plugin_modules:plugins/%.la=docs/made/plugins/%.md)
noinst_DATA = $(plugin_pages)
EXTRA_DIST += docs/generate docs/html docs/plugins.md
CLEANFILES += $(plugin_pages) docs/made/.made

docs/made/.made: $(top_srcdir)/docs/generate $(plugin_modules:.la=.cc) tests/tools/smtpd-plugin-table$(EXEEXT) stage/.made
	$(AM_V_GEN)$(MKDIR_P) docs/made && \
	$(top_srcdir)/docs/generate $(top_srcdir) docs/made tests/tools/smtpd-plugin-table$(EXEEXT) stage/plugins && touch $@
$(plugin_pages): docs/made/.made
	@test -f $@ || { rm -f docs/made/.made; $(MAKE) $(AM_MAKEFLAGS) docs/made/.made; }

install-data-local: $(plugin_pages)
	@for page in $(plugin_pages); do \
	    place="$(DESTDIR)$(manualdir)/docs/$${page#docs/made/}"; \
	    $(MKDIR_P) "$$(dirname "$$place")" && $(INSTALL_DATA) "$$page" "$$place" || exit 1; \
	done

docs: $(plugin_pages)
.PHONY: docs

# The HTML manual, for make html and make install-html.
htmldir = $(docdir)/html
html-local: $(plugin_pages)
	$(PYTHON) $(top_srcdir)/docs/html $(top_srcdir) docs/made docs/site
install-html-local: html-local
	$(MKDIR_P) "$(DESTDIR)$(htmldir)" && cp -R docs/site/. "$(DESTDIR)$(htmldir)/"
uninstall-local:
	rm -rf "$(DESTDIR)$(htmldir)"
	@for page in $(plugin_pages); do rm -f "$(DESTDIR)$(manualdir)/docs/$${page#docs/made/}"; done
