# tests/local.mk: the unit tests, the drivers, the defective plugins, the fuzz targets and the scripts of "make check".

tests_cppflags = $(core_cppflags) -I$(top_srcdir)/tests -I$(top_srcdir) \
	-DSMTPD_SOURCE_DIR='"$(SOURCE_DIR)"' -DSMTPD_BUILD_DIR='"$(abs_top_builddir)"'

# --- unit tests: one program --------------------------------------------------------------------------------------------------------------------

tests_unit_tests_SOURCES = \
	tests/unit/engine/api_test.cc \
	tests/unit/engine/history_test.cc \
	tests/unit/engine/auth_bad_input_test.cc \
	tests/unit/engine/auth_exchange_test.cc \
	tests/unit/engine/authentication_results_test.cc \
	tests/unit/engine/client_state_test.cc \
	tests/unit/engine/command_table_test.cc \
	tests/unit/engine/extensions_test.cc \
	tests/unit/engine/hook_matrix_test.cc \
	tests/unit/engine/mail_parameters_test.cc \
	tests/unit/engine/message_intake_test.cc \
	tests/unit/engine/message_pipeline_test.cc \
	tests/unit/engine/message_streams_test.cc \
	tests/unit/engine/replies_test.cc \
	tests/unit/engine/session_auth_test.cc \
	tests/unit/engine/session_chunks_test.cc \
	tests/unit/engine/session_tls_test.cc \
	tests/unit/engine/session_work_test.cc \
	tests/unit/engine/session_commands_test.cc \
	tests/unit/engine/session_data_test.cc \
	tests/unit/engine/session_dns_test.cc \
	tests/unit/engine/session_end_test.cc \
	tests/unit/engine/session_model_test.cc \
	tests/unit/engine/session_parking_test.cc \
	tests/unit/engine/session_recording_test.cc \
	tests/unit/engine/session_results_test.cc \
	tests/unit/engine/session_proxy_test.cc \
	tests/unit/engine/session_tasks_test.cc \
	tests/unit/engine/session_test.cc \
	tests/unit/engine/trace_fields_test.cc \
	tests/unit/engine/transaction_delivery_test.cc \
	tests/unit/engine/transcript_test.cc \
	tests/unit/host/asking_test.cc \
	tests/unit/host/control_files_test.cc \
	tests/unit/host/delivering_test.cc \
	tests/unit/host/dispatcher_test.cc \
	tests/unit/host/history_test.cc \
	tests/unit/host/log_router_test.cc \
	tests/unit/host/log_test.cc \
	tests/unit/host/notes_test.cc \
	tests/unit/host/option_types_test.cc \
	tests/unit/host/options_test.cc \
	tests/unit/host/out_of_memory_test.cc \
	tests/unit/host/plugin_file_test.cc \
	tests/unit/host/plugin_names_test.cc \
	tests/unit/host/plugin_set_test.cc \
	tests/unit/host/policy_test.cc \
	tests/unit/host/recipient_refusal_test.cc \
	tests/unit/host/waiting_handlers_test.cc \
	tests/unit/main.cc \
	tests/unit/message/headers_test.cc \
	tests/unit/message/stored_message_test.cc \
	tests/unit/mailauth/arc_test.cc \
	tests/unit/mailauth/authentication_results_field_test.cc \
	tests/unit/mailauth/author_domain_test.cc \
	tests/unit/mailauth/body_hasher_test.cc \
	tests/unit/mailauth/dkim_test.cc \
	tests/unit/mailauth/dmarc_destinations_test.cc \
	tests/unit/mailauth/dmarc_report_test.cc \
	tests/unit/mailauth/dmarc_test.cc \
	tests/unit/mailauth/header_block_test.cc \
	tests/unit/mailauth/lookups_test.cc \
	tests/unit/mailauth/public_suffixes_test.cc \
	tests/unit/mailauth/spf_record_test.cc \
	tests/unit/mailauth/spf_test.cc \
	tests/unit/mailauth/srs_test.cc \
	tests/unit/mailauth/tag_list_test.cc \
	tests/unit/net/backend_test.cc \
	tests/unit/net/cares_resolver_test.cc \
	tests/unit/net/circuit_breaker_test.cc \
	tests/unit/net/client_socket_test.cc \
	tests/unit/net/client_tls_test.cc \
	tests/unit/net/dns_cache_test.cc \
	tests/unit/net/dns_message_test.cc \
	tests/unit/net/dns_test.cc \
	tests/unit/net/proxy_header_test.cc \
	tests/unit/net/server_address_test.cc \
	tests/unit/net/udp_questions_test.cc \
	tests/unit/net/zone_file_test.cc \
	tests/unit/net/zone_resolver_test.cc \
	tests/unit/plugins/arc_test.cc \
	tests/unit/plugins/adaptive_test.cc \
	tests/unit/plugins/auth_certificate_test.cc \
	tests/unit/plugins/auth_test.cc \
	tests/unit/plugins/auth_daemons_test.cc \
	tests/unit/plugins/auth_delay_test.cc \
	tests/unit/plugins/auth_dovecot_test.cc \
	tests/unit/plugins/auth_imap_test.cc \
	tests/unit/plugins/auth_ldap_bind_test.cc \
	tests/unit/plugins/auth_oauth_test.cc \
	tests/unit/plugins/auth_pam_test.cc \
	tests/unit/plugins/badmailfrom_test.cc \
	tests/unit/plugins/badrcptto_test.cc \
	tests/unit/plugins/commands_test.cc \
	tests/unit/plugins/content_log_test.cc \
	tests/unit/plugins/counters_test.cc \
	tests/unit/plugins/delivery_test.cc \
	tests/unit/plugins/dkim_test.cc \
	tests/unit/plugins/dmarc_test.cc \
	tests/unit/plugins/dnsbl_test.cc \
	tests/unit/plugins/earlytalker_test.cc \
	tests/unit/plugins/fcrdns_test.cc \
	tests/unit/plugins/geoip_test.cc \
	tests/unit/plugins/greylisting_test.cc \
	tests/unit/plugins/headers_test.cc \
	tests/unit/plugins/helo_test.cc \
	tests/unit/plugins/hosts_allow_test.cc \
	tests/unit/plugins/karma_test.cc \
	tests/unit/plugins/limit_test.cc \
	tests/unit/plugins/loadcheck_test.cc \
	tests/unit/plugins/logging_test.cc \
	tests/unit/plugins/maildir_fates_test.cc \
	tests/unit/plugins/maildir_fixture.h \
	tests/unit/plugins/maildir_test.cc \
	tests/unit/plugins/message_checks_test.cc \
	tests/unit/plugins/naughty_test.cc \
	tests/unit/plugins/p0f_test.cc \
	tests/unit/plugins/qmail_deliverable_test.cc \
	tests/unit/plugins/rcpt_lists_test.cc \
	tests/unit/plugins/rcpt_ok_test.cc \
	tests/unit/plugins/relay_test.cc \
	tests/unit/plugins/resolvable_fromhost_test.cc \
	tests/unit/plugins/sender_login_test.cc \
	tests/unit/plugins/sender_permitted_from_test.cc \
	tests/unit/plugins/tarpit_test.cc \
	tests/unit/plugins/user_config_test.cc \
	tests/unit/plugins/whitelist_test.cc \
	tests/unit/smtp/address_test.cc \
	tests/unit/smtp/client_attributes_test.cc \
	tests/unit/smtp/chunk_argument_test.cc \
	tests/unit/smtp/command_test.cc \
	tests/unit/smtp/data_decoder_test.cc \
	tests/unit/smtp/line_splitter_test.cc \
	tests/unit/smtp/parameters_test.cc \
	tests/unit/smtp/path_argument_test.cc \
	tests/unit/smtp/reply_test.cc \
	tests/unit/smtp/sasl_bearer_test.cc \
	tests/unit/smtp/sasl_test.cc \
	tests/unit/smtp/saslprep_test.cc \
	tests/unit/smtp/scram_test.cc \
	tests/unit/smtp/xtext_test.cc \
	tests/unit/store/address_test.cc \
	tests/unit/store/dmarc_history_test.cc \
	tests/unit/store/file_store_test.cc \
	tests/unit/store/memory_store_test.cc \
	tests/unit/store/operations_test.cc \
	tests/unit/store/overlay_store_test.cc \
	tests/unit/store/qpsmtpd_state_test.cc \
	tests/unit/store/redis_store_test.cc \
	tests/unit/store/store_fixture.h \
	tests/unit/store/store_test.cc \
	tests/unit/store/stores_test.cc \
	tests/unit/store/fair_process_lock_test.cc \
	tests/unit/support/base64_test.cc \
	tests/unit/support/config_file_test.cc \
	tests/unit/support/descriptor_budget_test.cc \
	tests/unit/support/domain_test.cc \
	tests/unit/support/log_queue_test.cc \
	tests/unit/support/control_test.cc \
	tests/unit/support/ip_test.cc \
	tests/unit/support/key_counts_test.cc \
	tests/unit/support/keyed_hash_test.cc \
	tests/unit/support/program_test.cc \
	tests/unit/support/reaper_test.cc \
	tests/unit/support/leader_poll_test.cc \
	tests/unit/support/secret_test.cc \
	tests/unit/support/strings_test.cc \
	tests/unit/support/waker_test.cc \
	tests/unit/support/work_pool_test.cc \
	tests/unit/dry_run/request_test.cc \
	tests/unit/dry_run/dry_run_test.cc \
	tests/fakes/response_text.h \
	tests/fakes/cdb_file.h \
	tests/fakes/certificates.h \
	tests/fakes/dns_packet.h \
	tests/fakes/failing_memory.cc \
	tests/fakes/failing_memory.h \
	tests/fakes/fake_clients.h \
	tests/fakes/fake_clock.h \
	tests/fakes/fake_disk.cc \
	tests/fakes/fake_disk.h \
	tests/fakes/fake_hook_runner.h \
	tests/fakes/fake_log.h \
	tests/fakes/fake_names.h \
	tests/fakes/fake_session.h \
	tests/fakes/fake_store.h \
	tests/fakes/fake_tasks.h \
	tests/fakes/fake_tls.h \
	tests/fakes/line_server.h \
	tests/fakes/local_daemon.h \
	tests/fakes/matches.h \
	tests/fakes/mmdb_file.h \
	tests/fakes/name_server.h \
	tests/fakes/parcel.h \
	tests/fakes/plugin_under_test.h \
	tests/fakes/plugin_world.h \
	tests/fakes/private_redis.h \
	tests/fakes/random_dialogue.h \
	tests/fakes/scram_client.h \
	tests/fakes/session_under_test.h \
	tests/fakes/standard_error.h \
	tests/fakes/temp_directory.h \
	tests/fakes/tls_server_end.h \
	tests/fakes/signed_mail.h \
	tests/fakes/zone_lookups.h
tests_unit_tests_CPPFLAGS = $(tests_cppflags) $(CPPUNIT_CFLAGS) $(MAXMINDDB_CPPFLAGS) $(PAM_CPPFLAGS) $(LDAP_CPPFLAGS) $(CURL_CPPFLAGS) $(JANSSON_CPPFLAGS)
tests_unit_tests_LDFLAGS = $(program_ldflags) $(whole_core)
tests_unit_tests_LDADD = $(core_libs) $(CPPUNIT_LIBS)
tests_unit_tests_DEPENDENCIES = libsmtpd_core.la

# --- drivers: the engine and the parsers without httpd ------------------------------------------------------------------------------------------

drivers = \
	tests/tools/smtpd-parse \
	tests/tools/smtpd-plugin-table \
	tests/tools/smtpd-session \
	tests/tools/smtpd-verdict-table
tests_tools_smtpd_parse_SOURCES = tests/tools/smtpd_parse.cc
tests_tools_smtpd_parse_CPPFLAGS = $(tests_cppflags)
tests_tools_smtpd_parse_LDFLAGS = $(program_ldflags) $(whole_core)
tests_tools_smtpd_parse_LDADD = $(core_libs)
tests_tools_smtpd_parse_DEPENDENCIES = libsmtpd_core.la
tests_tools_smtpd_plugin_table_SOURCES = tests/tools/smtpd_plugin_table.cc
tests_tools_smtpd_plugin_table_CPPFLAGS = $(tests_cppflags)
tests_tools_smtpd_plugin_table_LDFLAGS = $(program_ldflags) $(whole_core)
tests_tools_smtpd_plugin_table_LDADD = $(core_libs)
tests_tools_smtpd_plugin_table_DEPENDENCIES = libsmtpd_core.la
tests_tools_smtpd_session_SOURCES = tests/tools/smtpd_session.cc
tests_tools_smtpd_session_CPPFLAGS = $(tests_cppflags)
tests_tools_smtpd_session_LDFLAGS = $(program_ldflags) $(whole_core)
tests_tools_smtpd_session_LDADD = $(core_libs)
tests_tools_smtpd_session_DEPENDENCIES = libsmtpd_core.la
tests_tools_smtpd_verdict_table_SOURCES = tests/tools/smtpd_verdict_table.cc
tests_tools_smtpd_verdict_table_CPPFLAGS = $(tests_cppflags)
tests_tools_smtpd_verdict_table_LDFLAGS = $(program_ldflags) $(whole_core)
tests_tools_smtpd_verdict_table_LDADD = $(core_libs)
tests_tools_smtpd_verdict_table_DEPENDENCIES = libsmtpd_core.la

# --- what the manual is made of and checked with: options of built plugins, verdict tables of the engine ------------------------------------------

manual_tools = \
	tests/tools/smtpd-plugin-table \
	tests/tools/smtpd-verdict-table
check_PROGRAMS += $(manual_tools)

# --- one small DSO for each way in which a plugin can be wrong ----------------------------------------------------------------------------------

bad_plugins = \
	tests/bad_plugins/asks_too_long.la \
	tests/bad_plugins/child_start_throws.la \
	tests/bad_plugins/constructor_throws.la \
	tests/bad_plugins/constructor_throws_int.la \
	tests/bad_plugins/impossible_verdict.la \
	tests/bad_plugins/makes_nothing.la \
	tests/bad_plugins/no_descriptor.la \
	tests/bad_plugins/note_conflict.la \
	tests/bad_plugins/options_throw.la \
	tests/bad_plugins/overruns.la \
	tests/bad_plugins/registers_late.la \
	tests/bad_plugins/reports_errors.la \
	tests/bad_plugins/static_throws.la \
	tests/bad_plugins/throws_exception.la \
	tests/bad_plugins/throws_int.la \
	tests/bad_plugins/undefined_symbol.la \
	tests/bad_plugins/wrong_magic.la \
	tests/bad_plugins/wrong_registrations.la \
	tests/bad_plugins/wrong_version.la

# --- plugins that tests of a running server need -----------------------------------------------------------------------------------------------

helper_plugins = \
	tests/helper_plugins/asks_dns.la \
	tests/helper_plugins/hands_on.la \
	tests/helper_plugins/judges_recipients.la \
	tests/helper_plugins/knows_passwords.la \
	tests/helper_plugins/stalls.la \
	tests/helper_plugins/store_probe.la

# --- fuzz targets: tests/fuzz/NAME.cc is tests/fuzz/NAME, with the corpus in tests/fuzz/corpus/NAME ----------------------------------------------

fuzz_ldflags = $(program_ldflags) $(whole_core) $(FUZZER_LDFLAGS)
fuzz_targets = \
	tests/fuzz/address_fuzz \
	tests/fuzz/authentication_results_fuzz \
	tests/fuzz/command_line_fuzz \
	tests/fuzz/control_file_fuzz \
	tests/fuzz/data_decoder_fuzz \
	tests/fuzz/dmarc_fuzz \
	tests/fuzz/dns_message_fuzz \
	tests/fuzz/header_block_fuzz \
	tests/fuzz/redis_reply_fuzz \
	tests/fuzz/session_fuzz \
	tests/fuzz/signed_message_fuzz \
	tests/fuzz/spf_fuzz \
	tests/fuzz/tag_list_fuzz
tests_fuzz_address_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_address_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_address_fuzz_LDADD = $(core_libs)
tests_fuzz_address_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_command_line_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_command_line_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_command_line_fuzz_LDADD = $(core_libs)
tests_fuzz_command_line_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_control_file_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_control_file_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_control_file_fuzz_LDADD = $(core_libs)
tests_fuzz_control_file_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_data_decoder_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_data_decoder_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_data_decoder_fuzz_LDADD = $(core_libs)
tests_fuzz_data_decoder_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_dmarc_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_dmarc_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_dmarc_fuzz_LDADD = $(core_libs)
tests_fuzz_dmarc_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_dns_message_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_dns_message_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_dns_message_fuzz_LDADD = $(core_libs)
tests_fuzz_dns_message_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_header_block_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_header_block_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_header_block_fuzz_LDADD = $(core_libs)
tests_fuzz_header_block_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_redis_reply_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_redis_reply_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_redis_reply_fuzz_LDADD = $(core_libs)
tests_fuzz_redis_reply_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_session_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_session_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_session_fuzz_LDADD = $(core_libs)
tests_fuzz_session_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_authentication_results_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_authentication_results_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_authentication_results_fuzz_LDADD = $(core_libs)
tests_fuzz_authentication_results_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_spf_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_spf_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_spf_fuzz_LDADD = $(core_libs)
tests_fuzz_spf_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_signed_message_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_signed_message_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_signed_message_fuzz_LDADD = $(core_libs)
tests_fuzz_signed_message_fuzz_DEPENDENCIES = libsmtpd_core.la
tests_fuzz_tag_list_fuzz_CPPFLAGS = $(tests_cppflags)
tests_fuzz_tag_list_fuzz_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_tag_list_fuzz_LDADD = $(core_libs)
tests_fuzz_tag_list_fuzz_DEPENDENCIES = libsmtpd_core.la
EXTRA_PROGRAMS += $(fuzz_targets)

if FUZZING
fuzz: $(fuzz_targets)
else
fuzz:
	@echo "make fuzz: configure with --enable-fuzzing CC=clang CXX=clang++ first" >&2; exit 1
endif
.PHONY: fuzz

# --- make check ---------------------------------------------------------------------------------------------------------------------------------

if CPPUNIT
check_PROGRAMS += tests/unit_tests $(drivers)
check_LTLIBRARIES += $(bad_plugins) $(helper_plugins)
TESTS += tests/unit_tests $(check_scripts)
else
check-local:
	@echo "make check: CppUnit is missing; install libcppunit-dev (Debian, Ubuntu) or cppunit-devel (Fedora, RHEL) and configure again" >&2; exit 1
endif
check_scripts = tests/check_lists tests/check_layers tests/check_headers tests/check_docs tests/check_log_ids tests/check_wrong_programs
EXTRA_DIST += $(check_scripts) tests/run_all tests/unpack_peer tests/tsan.supp tests/bad_plugins/throws_everywhere.h

# Folders of which everything is in the release.
EXTRA_DIST += tests/clients tests/compat tests/fuzz/corpus tests/integration tests/recordings tests/transcripts \
	tests/wrong_programs

# A DSO that is not installed is only built as one if libtool is told of a directory.
bad_plugin_ldflags = $(plugin_ldflags) -rpath /nowhere
tests_helper_plugins_asks_dns_la_LDFLAGS = $(bad_plugin_ldflags)
tests_helper_plugins_hands_on_la_LDFLAGS = $(bad_plugin_ldflags)
tests_helper_plugins_judges_recipients_la_LDFLAGS = $(bad_plugin_ldflags)
tests_helper_plugins_knows_passwords_la_LDFLAGS = $(bad_plugin_ldflags)
tests_helper_plugins_stalls_la_LDFLAGS = $(bad_plugin_ldflags)
tests_helper_plugins_store_probe_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_asks_too_long_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_child_start_throws_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_constructor_throws_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_constructor_throws_int_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_impossible_verdict_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_makes_nothing_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_no_descriptor_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_note_conflict_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_options_throw_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_overruns_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_registers_late_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_reports_errors_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_static_throws_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_throws_exception_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_throws_int_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_undefined_symbol_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_wrong_magic_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_wrong_registrations_la_LDFLAGS = $(bad_plugin_ldflags)
tests_bad_plugins_wrong_version_la_LDFLAGS = $(bad_plugin_ldflags)

# Everything the tests need, without running them. "all" starts a make of its own, so what comes after it may not be made beside it.
check-programs: all
	@$(MAKE) $(AM_MAKEFLAGS) $(check_PROGRAMS) $(check_LTLIBRARIES)

AM_TESTS_ENVIRONMENT = \
	SMTPD_SOURCE_DIR='$(SOURCE_DIR)'; export SMTPD_SOURCE_DIR; \
	SMTPD_BUILD_DIR='$(abs_top_builddir)'; export SMTPD_BUILD_DIR; \
	CXX='$(CXX) $(SMTPD_CXXFLAGS)'; export CXX; \
	CORE_CPPFLAGS='$(APR_CPPFLAGS) $(OPENSSL_CFLAGS) $(CARES_CFLAGS) $(IDN2_CFLAGS) $(PCRE2_CFLAGS) $(SQLITE_CFLAGS)'; export CORE_CPPFLAGS; \
	HTTPD_CPPFLAGS='$(HTTPD_CPPFLAGS)'; export HTTPD_CPPFLAGS;

# What a test of a running server has to know about this build.
all-local: build_config.json
EXTRA_DIST += tests/build_config.json.in
CLEANFILES += build_config.json
build_config.json: $(top_srcdir)/tests/build_config.json.in Makefile
	$(AM_V_GEN)$(fill_in) $(top_srcdir)/tests/build_config.json.in >$@.tmp && mv -f $@.tmp $@

# The same, one by one and with their output.
if CPPUNIT
check-unit: check-programs
	@$(AM_TESTS_ENVIRONMENT) tests/unit_tests
else
check-unit: check-local
endif
check-lists:
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/check_lists
check-layers:
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/check_layers
check-headers:
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/check_headers
check-docs: all
	@$(MAKE) $(AM_MAKEFLAGS) $(manual_tools)
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/check_docs
check-log-ids:
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/check_log_ids
check-wrong-programs:
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/check_wrong_programs
.PHONY: check-unit check-lists check-layers check-headers check-docs check-log-ids check-wrong-programs

# For contributors: what clang-tidy and editors read; which lines the unit tests run; whether the format is that of the tree.
EXTRA_DIST += tests/tools/compile_commands tests/check_format
CLEANFILES += compile_commands.json
compile_commands.json: Makefile
	$(AM_V_GEN)$(PYTHON) $(top_srcdir)/tests/tools/compile_commands $(noinst_LTLIBRARIES) $(module_LTLIBRARIES) $(plugin_modules) \
	    $(bin_PROGRAMS) $(check_PROGRAMS) $(check_LTLIBRARIES)
check-format:
	@$(AM_TESTS_ENVIRONMENT) $(top_srcdir)/tests/check_format
.PHONY: check-format coverage
if COVERAGE
coverage: check-programs
	-$(AM_TESTS_ENVIRONMENT) tests/unit_tests
	rm -rf coverage && $(MKDIR_P) coverage
	$(GCOVR) --root $(top_srcdir) --object-directory . --filter '.*/mod_smtpd/' --filter '.*/plugins/' --print-summary \
	    --html-details coverage/index.html
	@echo "The report is coverage/index.html."
else
coverage:
	@echo "make coverage needs a build that was configured with --enable-coverage" >&2; exit 1
endif
