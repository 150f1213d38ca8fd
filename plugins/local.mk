# plugins/local.mk: the plugins, one line each. The source of plugins/NAME.la is plugins/NAME.cc, and it becomes NAME.so in the plugin directory.
# A plugin that needs a library of its own adds a line plugins_NAME_la_LIBADD (and _CPPFLAGS, beginning with $(AM_CPPFLAGS)).

plugin_LTLIBRARIES = \
	plugins/arc.la \
	plugins/badmailfrom.la \
	plugins/badmailfromto.la \
	plugins/badrcptto.la \
	plugins/bogus_bounce.la \
	plugins/connection_time.la \
	plugins/content_log.la \
	plugins/count_unrecognized_commands.la \
	plugins/dkim.la \
	plugins/dmarc.la \
	plugins/dns_whitelist_soft.la \
	plugins/dnsbl.la \
	plugins/dont_require_anglebrackets.la \
	plugins/earlytalker.la \
	plugins/fcrdns.la \
	plugins/greylisting.la \
	plugins/headers.la \
	plugins/helo.la \
	plugins/help.la \
	plugins/hosts_allow.la \
	plugins/karma.la \
	plugins/limit.la \
	plugins/loadcheck.la \
	plugins/loop.la \
	plugins/naughty.la \
	plugins/noop_counter.la \
	plugins/parse_addr_withhelo.la \
	plugins/qmail_deliverable.la \
	plugins/quit_fortune.la \
	plugins/random_error.la \
	plugins/rcpt_map.la \
	plugins/rcpt_ok.la \
	plugins/rcpt_regexp.la \
	plugins/relay.la \
	plugins/resolvable_fromhost.la \
	plugins/rhsbl.la \
	plugins/sender_login.la \
	plugins/sender_permitted_from.la \
	plugins/tarpit.la \
	plugins/user_config.la \
	plugins/whitelist.la
plugins_dmarc_la_CPPFLAGS = $(AM_CPPFLAGS) -DSMTPD_STATE_DIR='"$(statedir)"'

plugin_authdir = $(plugindir)/auth
plugin_auth_LTLIBRARIES = \
	plugins/auth/auth_certificate.la \
	plugins/auth/auth_checkpassword.la \
	plugins/auth/auth_cvm_unix_local.la \
	plugins/auth/auth_delay.la \
	plugins/auth/auth_dovecot.la \
	plugins/auth/auth_flat_file.la \
	plugins/auth/auth_httpd.la \
	plugins/auth/auth_imap.la \
	plugins/auth/auth_ldap_bind.la \
	plugins/auth/auth_oauth.la \
	plugins/auth/auth_pam.la \
	plugins/auth/auth_vpopmail_sql.la \
	plugins/auth/auth_vpopmaild.la \
	plugins/auth/authdeny.la
plugins_auth_auth_certificate_la_CPPFLAGS = $(AM_CPPFLAGS) $(OPENSSL_CFLAGS)
plugins_auth_auth_certificate_la_LIBADD = $(OPENSSL_LIBS)
plugins_auth_auth_ldap_bind_la_CPPFLAGS = $(AM_CPPFLAGS) $(LDAP_CPPFLAGS)
plugins_auth_auth_ldap_bind_la_LIBADD = $(LDAP_LIBS)
plugins_auth_auth_oauth_la_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CPPFLAGS) $(JANSSON_CPPFLAGS) $(OPENSSL_CFLAGS)
plugins_auth_auth_oauth_la_LIBADD = $(CURL_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)
plugins_auth_auth_pam_la_CPPFLAGS = $(AM_CPPFLAGS) $(PAM_CPPFLAGS)
plugins_auth_auth_pam_la_LIBADD = $(PAM_LIBS)

plugin_identdir = $(plugindir)/ident
plugin_ident_LTLIBRARIES = \
	plugins/ident/geoip.la \
	plugins/ident/p0f.la
plugins_ident_geoip_la_CPPFLAGS = $(AM_CPPFLAGS) $(MAXMINDDB_CPPFLAGS)
plugins_ident_geoip_la_LIBADD = $(MAXMINDDB_LIBS)

plugin_queuedir = $(plugindir)/queue
plugin_queue_LTLIBRARIES = \
	plugins/queue/discard.la \
	plugins/queue/maildir.la

plugin_loggingdir = $(plugindir)/logging
plugin_logging_LTLIBRARIES = \
	plugins/logging/adaptive.la \
	plugins/logging/apache.la \
	plugins/logging/file.la \
	plugins/logging/syslog.la \
	plugins/logging/warn.la

# All of them, for the rules that treat them alike; a new folder is added here too.
plugin_modules = $(plugin_LTLIBRARIES) $(plugin_auth_LTLIBRARIES) $(plugin_ident_LTLIBRARIES) $(plugin_queue_LTLIBRARIES) $(plugin_logging_LTLIBRARIES)

# Installed as well, for plugins that are built elsewhere.
smtpddatadir = $(datadir)/smtpd
dist_smtpddata_DATA = plugins/plugin.map
