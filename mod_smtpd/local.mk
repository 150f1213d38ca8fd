# mod_smtpd/local.mk: the plugin API's headers, the core library and the module.

smtpdincludedir = $(includedir)/smtpd
smtpdinclude_HEADERS = \
	mod_smtpd/include/smtpd/authentication_result.h \
	mod_smtpd/include/smtpd/body_stream.h \
	mod_smtpd/include/smtpd/complaint.h \
	mod_smtpd/include/smtpd/connection.h \
	mod_smtpd/include/smtpd/control.h \
	mod_smtpd/include/smtpd/envelope.h \
	mod_smtpd/include/smtpd/exemption.h \
	mod_smtpd/include/smtpd/finding.h \
	mod_smtpd/include/smtpd/forwarded.h \
	mod_smtpd/include/smtpd/history.h \
	mod_smtpd/include/smtpd/hooks.h \
	mod_smtpd/include/smtpd/known_notes.h \
	mod_smtpd/include/smtpd/message.h \
	mod_smtpd/include/smtpd/notes.h \
	mod_smtpd/include/smtpd/options.h \
	mod_smtpd/include/smtpd/plugin.h \
	mod_smtpd/include/smtpd/recipient.h \
	mod_smtpd/include/smtpd/task.h \
	mod_smtpd/include/smtpd/testing.h \
	mod_smtpd/include/smtpd/transaction.h \
	mod_smtpd/include/smtpd/verdict.h \
	mod_smtpd/include/smtpd/waiting.h

smtpdauthincludedir = $(includedir)/smtpd/auth
smtpdauthinclude_HEADERS = \
	mod_smtpd/include/smtpd/auth/credentials.h \
	mod_smtpd/include/smtpd/auth/password_check.h \
	mod_smtpd/include/smtpd/auth/stored_password.h \
	mod_smtpd/include/smtpd/auth/tls.h

smtpdbackendincludedir = $(includedir)/smtpd/backend
smtpdbackendinclude_HEADERS = \
	mod_smtpd/include/smtpd/backend/backend.h \
	mod_smtpd/include/smtpd/backend/client_socket.h \
	mod_smtpd/include/smtpd/backend/program.h \
	mod_smtpd/include/smtpd/backend/server_address.h \
	mod_smtpd/include/smtpd/backend/sql.h

smtpdbaseincludedir = $(includedir)/smtpd/base
smtpdbaseinclude_HEADERS = \
	mod_smtpd/include/smtpd/base/address.h \
	mod_smtpd/include/smtpd/base/api.h \
	mod_smtpd/include/smtpd/base/base64.h \
	mod_smtpd/include/smtpd/base/clock.h \
	mod_smtpd/include/smtpd/base/domain.h \
	mod_smtpd/include/smtpd/base/files.h \
	mod_smtpd/include/smtpd/base/format.h \
	mod_smtpd/include/smtpd/base/ip.h \
	mod_smtpd/include/smtpd/base/log.h \
	mod_smtpd/include/smtpd/base/parameters.h \
	mod_smtpd/include/smtpd/base/pattern.h \
	mod_smtpd/include/smtpd/base/reply.h \
	mod_smtpd/include/smtpd/base/result.h \
	mod_smtpd/include/smtpd/base/secret_text.h \
	mod_smtpd/include/smtpd/base/status.h \
	mod_smtpd/include/smtpd/base/text.h

smtpddeliveryincludedir = $(includedir)/smtpd/delivery
smtpddeliveryinclude_HEADERS = \
	mod_smtpd/include/smtpd/delivery/delivery.h \
	mod_smtpd/include/smtpd/delivery/fate.h \
	mod_smtpd/include/smtpd/delivery/origin.h \
	mod_smtpd/include/smtpd/delivery/result.h

smtpddnsincludedir = $(includedir)/smtpd/dns
smtpddnsinclude_HEADERS = \
	mod_smtpd/include/smtpd/dns/dns.h \
	mod_smtpd/include/smtpd/dns/lists.h

smtpdhookincludedir = $(includedir)/smtpd/hook
smtpdhookinclude_HEADERS = \
	mod_smtpd/include/smtpd/hook/arguments.h \
	mod_smtpd/include/smtpd/hook/context.h \
	mod_smtpd/include/smtpd/hook/point.h \
	mod_smtpd/include/smtpd/hook/session_context.h \
	mod_smtpd/include/smtpd/hook/traits.h

smtpdmailauthincludedir = $(includedir)/smtpd/mailauth
smtpdmailauthinclude_HEADERS = \
	mod_smtpd/include/smtpd/mailauth/arc.h \
	mod_smtpd/include/smtpd/mailauth/authentication_results_field.h \
	mod_smtpd/include/smtpd/mailauth/author_domain.h \
	mod_smtpd/include/smtpd/mailauth/dkim.h \
	mod_smtpd/include/smtpd/mailauth/dkim_sign.h \
	mod_smtpd/include/smtpd/mailauth/dmarc.h \
	mod_smtpd/include/smtpd/mailauth/lookups.h \
	mod_smtpd/include/smtpd/mailauth/message_reader.h \
	mod_smtpd/include/smtpd/mailauth/message_stream.h \
	mod_smtpd/include/smtpd/mailauth/private_key.h \
	mod_smtpd/include/smtpd/mailauth/public_suffixes.h \
	mod_smtpd/include/smtpd/mailauth/signing_keys.h \
	mod_smtpd/include/smtpd/mailauth/spf.h

smtpdserverincludedir = $(includedir)/smtpd/server
smtpdserverinclude_HEADERS = \
	mod_smtpd/include/smtpd/server/log_queue.h \
	mod_smtpd/include/smtpd/server/p0f_criteria.h

smtpdstoreincludedir = $(includedir)/smtpd/store
smtpdstoreinclude_HEADERS = \
	mod_smtpd/include/smtpd/store/dmarc_history.h \
	mod_smtpd/include/smtpd/store/records.h \
	mod_smtpd/include/smtpd/store/store.h

# Everything but httpd/, built without httpd's include path. The module, the unit tests, the tools, the benchmark and the fuzz targets link it.
noinst_LTLIBRARIES += libsmtpd_core.la
libsmtpd_core_la_SOURCES = \
	mod_smtpd/support/base64.cc \
	mod_smtpd/support/base64.h \
	mod_smtpd/support/event_fd.h \
	mod_smtpd/support/cdb.cc \
	mod_smtpd/support/clock.cc \
	mod_smtpd/support/clock.h \
	mod_smtpd/support/config_file.cc \
	mod_smtpd/support/config_file.h \
	mod_smtpd/support/control.cc \
	mod_smtpd/support/date.cc \
	mod_smtpd/support/date.h \
	mod_smtpd/support/descriptor_budget.h \
	mod_smtpd/support/domain.cc \
	mod_smtpd/support/edit_distance.cc \
	mod_smtpd/support/edit_distance.h \
	mod_smtpd/support/file_descriptor.h \
	mod_smtpd/support/heartbeat.h \
	mod_smtpd/support/files.cc \
	mod_smtpd/support/ip.cc \
	mod_smtpd/support/key_counts.cc \
	mod_smtpd/support/key_counts.h \
	mod_smtpd/support/keyed_hash.cc \
	mod_smtpd/support/keyed_hash.h \
	mod_smtpd/support/log.cc \
	mod_smtpd/support/log_queue.cc \
	mod_smtpd/support/log_queues.h \
	mod_smtpd/support/paths.cc \
	mod_smtpd/support/paths.h \
	mod_smtpd/support/pattern.cc \
	mod_smtpd/support/process_mutex.cc \
	mod_smtpd/support/process_mutex.h \
	mod_smtpd/support/program.cc \
	mod_smtpd/support/random.cc \
	mod_smtpd/support/random.h \
	mod_smtpd/support/reaper.cc \
	mod_smtpd/support/reaper.h \
	mod_smtpd/support/secret.cc \
	mod_smtpd/support/leader_poll.cc \
	mod_smtpd/support/leader_poll.h \
	mod_smtpd/support/strings.cc \
	mod_smtpd/support/strings.h \
	mod_smtpd/support/thrown.h \
	mod_smtpd/support/waker.cc \
	mod_smtpd/support/waker.h \
	mod_smtpd/support/work_pool.cc \
	mod_smtpd/support/work_pool.h \
	mod_smtpd/smtp/address.cc \
	mod_smtpd/smtp/client_attributes.cc \
	mod_smtpd/smtp/client_attributes.h \
	mod_smtpd/smtp/channel_bindings.h \
	mod_smtpd/smtp/chunk_argument.cc \
	mod_smtpd/smtp/chunk_argument.h \
	mod_smtpd/smtp/command.cc \
	mod_smtpd/smtp/command.h \
	mod_smtpd/smtp/data_decoder.cc \
	mod_smtpd/smtp/data_decoder.h \
	mod_smtpd/smtp/line_splitter.cc \
	mod_smtpd/smtp/line_splitter.h \
	mod_smtpd/smtp/octet_masks.h \
	mod_smtpd/smtp/octets.h \
	mod_smtpd/smtp/parameters.cc \
	mod_smtpd/smtp/path_argument.cc \
	mod_smtpd/smtp/path_argument.h \
	mod_smtpd/smtp/reply.cc \
	mod_smtpd/smtp/sasl.cc \
	mod_smtpd/smtp/sasl.h \
	mod_smtpd/smtp/sasl_bearer.cc \
	mod_smtpd/smtp/sasl_mechanisms.h \
	mod_smtpd/smtp/sasl_scram.cc \
	mod_smtpd/smtp/saslprep.cc \
	mod_smtpd/smtp/saslprep.h \
	mod_smtpd/smtp/scram.cc \
	mod_smtpd/smtp/scram.h \
	mod_smtpd/smtp/stored_password.cc \
	mod_smtpd/smtp/utf8.h \
	mod_smtpd/smtp/xtext.cc \
	mod_smtpd/smtp/xtext.h \
	mod_smtpd/message/body.cc \
	mod_smtpd/message/body.h \
	mod_smtpd/message/chunk_buffer.cc \
	mod_smtpd/message/chunk_buffer.h \
	mod_smtpd/message/field_syntax.h \
	mod_smtpd/message/headers.cc \
	mod_smtpd/message/spool_file.cc \
	mod_smtpd/message/spool_file.h \
	mod_smtpd/message/stored_message.cc \
	mod_smtpd/message/stored_message.h \
	mod_smtpd/store/address.cc \
	mod_smtpd/store/address.h \
	mod_smtpd/store/backend.cc \
	mod_smtpd/store/dmarc_history.cc \
	mod_smtpd/store/backend.h \
	mod_smtpd/store/fair_lock.h \
	mod_smtpd/store/file_store.cc \
	mod_smtpd/store/file_store.h \
	mod_smtpd/store/file_reader.cc \
	mod_smtpd/store/file_reader.h \
	mod_smtpd/store/memory_store.cc \
	mod_smtpd/store/memory_store.h \
	mod_smtpd/store/overlay_store.cc \
	mod_smtpd/store/overlay_store.h \
	mod_smtpd/store/qpsmtpd_state.cc \
	mod_smtpd/store/qpsmtpd_state.h \
	mod_smtpd/store/redis_connection.cc \
	mod_smtpd/store/redis_connection.h \
	mod_smtpd/store/redis_store.cc \
	mod_smtpd/store/redis_store.h \
	mod_smtpd/store/spaces.cc \
	mod_smtpd/store/sqlite_file.cc \
	mod_smtpd/store/sqlite_file.h \
	mod_smtpd/store/spaces.h \
	mod_smtpd/store/stores.cc \
	mod_smtpd/store/stores.h \
	mod_smtpd/store/fair_process_lock.cc \
	mod_smtpd/store/fair_process_lock.h \
	mod_smtpd/net/backend.cc \
	mod_smtpd/net/backend_state.cc \
	mod_smtpd/net/backend_state.h \
	mod_smtpd/net/cares_resolver.cc \
	mod_smtpd/net/cares_resolver.h \
	mod_smtpd/net/circuit_breaker.cc \
	mod_smtpd/net/circuit_breaker.h \
	mod_smtpd/net/client_socket.cc \
	mod_smtpd/net/client_tls.cc \
	mod_smtpd/net/client_tls.h \
	mod_smtpd/net/connection_pool.cc \
	mod_smtpd/net/connection_pool.h \
	mod_smtpd/net/dns.cc \
	mod_smtpd/net/dns_cache.cc \
	mod_smtpd/net/dns_cache.h \
	mod_smtpd/net/dns_message.cc \
	mod_smtpd/net/dns_message.h \
	mod_smtpd/net/hosts_file.cc \
	mod_smtpd/net/hosts_file.h \
	mod_smtpd/net/proxy_header.cc \
	mod_smtpd/net/proxy_header.h \
	mod_smtpd/net/resolver.h \
	mod_smtpd/net/resolver_settings.h \
	mod_smtpd/net/server_address.cc \
	mod_smtpd/net/udp_questions.cc \
	mod_smtpd/net/udp_questions.h \
	mod_smtpd/net/zone_file.cc \
	mod_smtpd/net/zone_file.h \
	mod_smtpd/net/zone_resolver.cc \
	mod_smtpd/net/zone_resolver.h \
	mod_smtpd/mailauth/arc.cc \
	mod_smtpd/mailauth/arc_fields.cc \
	mod_smtpd/mailauth/arc_fields.h \
	mod_smtpd/mailauth/arc_seal.cc \
	mod_smtpd/mailauth/authentication_results_field.cc \
	mod_smtpd/mailauth/author_domain.cc \
	mod_smtpd/mailauth/body_hasher.cc \
	mod_smtpd/mailauth/check_signature.cc \
	mod_smtpd/mailauth/check_signature.h \
	mod_smtpd/mailauth/dkim.cc \
	mod_smtpd/mailauth/dkim_sign.cc \
	mod_smtpd/mailauth/dmarc.cc \
	mod_smtpd/mailauth/dmarc_destinations.cc \
	mod_smtpd/mailauth/dmarc_destinations.h \
	mod_smtpd/mailauth/dmarc_record.cc \
	mod_smtpd/mailauth/dmarc_report.cc \
	mod_smtpd/mailauth/dmarc_results.cc \
	mod_smtpd/mailauth/dmarc_report.h \
	mod_smtpd/mailauth/dmarc_walk.cc \
	mod_smtpd/mailauth/dmarc_walk.h \
	mod_smtpd/mailauth/first_author.cc \
	mod_smtpd/mailauth/header_block.cc \
	mod_smtpd/mailauth/header_block.h \
	mod_smtpd/mailauth/key_cache.cc \
	mod_smtpd/mailauth/key_record.cc \
	mod_smtpd/mailauth/key_record.h \
	mod_smtpd/mailauth/lookup_rounds.h \
	mod_smtpd/mailauth/lookups.cc \
	mod_smtpd/mailauth/message_reader.cc \
	mod_smtpd/mailauth/message_state.h \
	mod_smtpd/mailauth/message_stream.cc \
	mod_smtpd/mailauth/openssl.cc \
	mod_smtpd/mailauth/openssl.h \
	mod_smtpd/mailauth/own_results.cc \
	mod_smtpd/mailauth/own_results.h \
	mod_smtpd/mailauth/private_key.cc \
	mod_smtpd/mailauth/public_key.cc \
	mod_smtpd/mailauth/public_key.h \
	mod_smtpd/mailauth/public_suffixes.cc \
	mod_smtpd/mailauth/seal_hash.h \
	mod_smtpd/mailauth/signature.cc \
	mod_smtpd/mailauth/signature.h \
	mod_smtpd/mailauth/signing_keys.cc \
	mod_smtpd/mailauth/spf.cc \
	mod_smtpd/mailauth/spf_macro.cc \
	mod_smtpd/mailauth/spf_macro.h \
	mod_smtpd/mailauth/spf_record.cc \
	mod_smtpd/mailauth/spf_record.h \
	mod_smtpd/mailauth/spf_report.cc \
	mod_smtpd/mailauth/srs.cc \
	mod_smtpd/mailauth/srs.h \
	mod_smtpd/mailauth/tag_list.cc \
	mod_smtpd/mailauth/tag_list.h \
	mod_smtpd/mailauth/tag_writer.cc \
	mod_smtpd/mailauth/tag_writer.h \
	mod_smtpd/engine/api.cc \
	mod_smtpd/engine/history.cc \
	mod_smtpd/engine/auth_mechanisms.cc \
	mod_smtpd/engine/auth_exchange.cc \
	mod_smtpd/engine/auth_exchange.h \
	mod_smtpd/engine/auth_mechanisms.h \
	mod_smtpd/engine/auth_offer.cc \
	mod_smtpd/engine/auth_offer.h \
	mod_smtpd/engine/complaints.cc \
	mod_smtpd/engine/exemption.cc \
	mod_smtpd/engine/delivery_api.cc \
	mod_smtpd/engine/extensions.cc \
	mod_smtpd/engine/extensions.h \
	mod_smtpd/engine/final_replies.cc \
	mod_smtpd/engine/final_replies.h \
	mod_smtpd/engine/client_register.h \
	mod_smtpd/engine/authentication_results.cc \
	mod_smtpd/engine/authentication_results.h \
	mod_smtpd/engine/client_state.cc \
	mod_smtpd/engine/client_state.h \
	mod_smtpd/engine/command_table.cc \
	mod_smtpd/engine/command_table.h \
	mod_smtpd/engine/hook_runner.h \
	mod_smtpd/engine/mail_parameters.cc \
	mod_smtpd/engine/mail_parameters.h \
	mod_smtpd/engine/mail_transaction.h \
	mod_smtpd/engine/message_intake.cc \
	mod_smtpd/engine/message_intake.h \
	mod_smtpd/engine/message_pipeline.cc \
	mod_smtpd/engine/message_pipeline.h \
	mod_smtpd/engine/message_streams.cc \
	mod_smtpd/engine/message_streams.h \
	mod_smtpd/engine/name_service.h \
	mod_smtpd/engine/recipient_results.cc \
	mod_smtpd/engine/recipient_results.h \
	mod_smtpd/engine/replies.cc \
	mod_smtpd/engine/replies.h \
	mod_smtpd/engine/running_task.cc \
	mod_smtpd/engine/running_task.h \
	mod_smtpd/engine/server_access.h \
	mod_smtpd/engine/services.h \
	mod_smtpd/engine/session.cc \
	mod_smtpd/engine/session.h \
	mod_smtpd/engine/session_auth.cc \
	mod_smtpd/engine/session_chunks.cc \
	mod_smtpd/engine/session_commands.cc \
	mod_smtpd/engine/session_data.cc \
	mod_smtpd/engine/session_history.cc \
	mod_smtpd/engine/session_results.cc \
	mod_smtpd/engine/session_tls.cc \
	mod_smtpd/engine/session_work.cc \
	mod_smtpd/engine/session_proxy.cc \
	mod_smtpd/engine/settings.h \
	mod_smtpd/engine/stage.cc \
	mod_smtpd/engine/stage.h \
	mod_smtpd/engine/stage_argument.h \
	mod_smtpd/engine/tls_service.h \
	mod_smtpd/engine/task_service.h \
	mod_smtpd/engine/trace_fields.cc \
	mod_smtpd/engine/trace_fields.h \
	mod_smtpd/engine/transaction_delivery.cc \
	mod_smtpd/engine/transaction_delivery.h \
	mod_smtpd/host/control_files.cc \
	mod_smtpd/host/control_files.h \
	mod_smtpd/host/counters.h \
	mod_smtpd/host/dispatcher.cc \
	mod_smtpd/host/dispatcher.h \
	mod_smtpd/host/dns_lists.cc \
	mod_smtpd/host/environment.h \
	mod_smtpd/host/instance.cc \
	mod_smtpd/host/instance.h \
	mod_smtpd/host/log_router.cc \
	mod_smtpd/host/log_router.h \
	mod_smtpd/host/no_store.h \
	mod_smtpd/host/notes.cc \
	mod_smtpd/host/notes.h \
	mod_smtpd/host/option_types.cc \
	mod_smtpd/host/options.cc \
	mod_smtpd/host/options.h \
	mod_smtpd/host/p0f_criteria.cc \
	mod_smtpd/host/plugin.cc \
	mod_smtpd/host/plugin_checks.cc \
	mod_smtpd/host/plugin_checks.h \
	mod_smtpd/host/plugin_dso.cc \
	mod_smtpd/host/plugin_dso.h \
	mod_smtpd/host/plugin_file.cc \
	mod_smtpd/host/plugin_file.h \
	mod_smtpd/host/plugin_names.cc \
	mod_smtpd/host/plugin_names.h \
	mod_smtpd/host/plugin_set.cc \
	mod_smtpd/host/plugin_set.h \
	mod_smtpd/host/policy.cc \
	mod_smtpd/host/policy.h \
	mod_smtpd/host/stream_guard.cc \
	mod_smtpd/host/stream_guard.h \
	mod_smtpd/host/possible_fates.cc \
	mod_smtpd/host/possible_fates.h \
	mod_smtpd/host/problem.h \
	mod_smtpd/dry_run/clock.h \
	mod_smtpd/dry_run/conversation.cc \
	mod_smtpd/dry_run/conversation.h \
	mod_smtpd/dry_run/json.cc \
	mod_smtpd/dry_run/json.h \
	mod_smtpd/dry_run/report_json.cc \
	mod_smtpd/dry_run/report_text.cc \
	mod_smtpd/dry_run/request.cc \
	mod_smtpd/dry_run/request.h \
	mod_smtpd/dry_run/dry_run.cc \
	mod_smtpd/dry_run/dry_run.h

# --enable-precompiled-headers: the headers that nearly all sources include are parsed only once, for plugins and for everything else. Objects do
# not depend on these headers as usual, so they are removed when one of them has changed.
if PRECOMPILED_HEADERS
api_precompiled = -include precompiled/api.h
core_precompiled = -include precompiled/core.h
BUILT_SOURCES += precompiled/api.h.gch precompiled/core.h.gch
precompile = $(CXX) $(SMTPD_CXXFLAGS) $(SANITIZER_FLAGS) $(CXXFLAGS) -fPIC -DPIC -x c++-header
api_headers = $(smtpdinclude_HEADERS) $(smtpdauthinclude_HEADERS) $(smtpdbackendinclude_HEADERS) $(smtpdbaseinclude_HEADERS) \
	$(smtpddeliveryinclude_HEADERS) $(smtpddnsinclude_HEADERS) $(smtpdhookinclude_HEADERS) $(smtpdserverinclude_HEADERS) \
	$(smtpdstoreinclude_HEADERS)
precompiled/api.h.gch: $(api_headers) Makefile
	$(AM_V_GEN)mkdir -p precompiled && echo '#include <smtpd/plugin.h>' >precompiled/api.h && \
	find plugins -name '*.lo' -delete && $(precompile) $(api_cppflags) precompiled/api.h -o $@
precompiled/core.h.gch: $(api_headers) Makefile
	$(AM_V_GEN)mkdir -p precompiled && \
	printf '#include <%s>\n' smtpd/plugin.h condition_variable mutex thread unordered_map >precompiled/core.h && \
	find mod_smtpd -name '*.lo' -delete && $(precompile) $(core_cppflags) precompiled/core.h -o $@
endif

core_cppflags = -I$(top_srcdir)/mod_smtpd/include -I$(top_srcdir)/mod_smtpd $(APR_CPPFLAGS) \
	$(OPENSSL_CFLAGS) $(CARES_CFLAGS) $(IDN2_CFLAGS) $(PCRE2_CFLAGS) $(SQLITE_CFLAGS) $(STRINGPREP_CPPFLAGS) $(PSL_CPPFLAGS) -DSMTPD_VERSION='"$(VERSION)"'
core_libs = $(APR_LIBS) $(OPENSSL_LIBS) $(CARES_LIBS) $(IDN2_LIBS) $(PCRE2_LIBS) $(SQLITE_LIBS) $(STRINGPREP_LIBS) $(PSL_LIBS)

libsmtpd_core_la_CPPFLAGS = $(core_cppflags) $(core_precompiled)
libsmtpd_core_la_LDFLAGS = $(SANITIZER_FLAGS)

# For programs, which link a convenience library like any archive: all of its objects, because a plugin opened later may need any of them.
whole_core = -Wl,--whole-archive,$(lt_objdir)/libsmtpd_core.a,--no-whole-archive

module_LTLIBRARIES = mod_smtpd/mod_smtpd.la
mod_smtpd_mod_smtpd_la_SOURCES = \
	mod_smtpd/httpd/apache.h \
	mod_smtpd/httpd/channel.cc \
	mod_smtpd/httpd/channel.h \
	mod_smtpd/httpd/channel_bindings.cc \
	mod_smtpd/httpd/channel_bindings.h \
	mod_smtpd/httpd/child.cc \
	mod_smtpd/httpd/child.h \
	mod_smtpd/httpd/client_address.cc \
	mod_smtpd/httpd/client_address.h \
	mod_smtpd/httpd/connection_driver.cc \
	mod_smtpd/httpd/connection_driver.h \
	mod_smtpd/httpd/connection_handshake.cc \
	mod_smtpd/httpd/admission.cc \
	mod_smtpd/httpd/admission.h \
	mod_smtpd/httpd/blocking_driver.cc \
	mod_smtpd/httpd/blocking_driver.h \
	mod_smtpd/httpd/database.cc \
	mod_smtpd/httpd/database.h \
	mod_smtpd/httpd/error_log.cc \
	mod_smtpd/httpd/error_log.h \
	mod_smtpd/httpd/event_driver.cc \
	mod_smtpd/httpd/event_driver.h \
	mod_smtpd/httpd/gate.cc \
	mod_smtpd/httpd/gate.h \
	mod_smtpd/httpd/descriptors.cc \
	mod_smtpd/httpd/descriptors.h \
	mod_smtpd/httpd/config_tree.cc \
	mod_smtpd/httpd/config_tree.h \
	mod_smtpd/httpd/file_checks.cc \
	mod_smtpd/httpd/file_checks.h \
	mod_smtpd/httpd/host_checks.cc \
	mod_smtpd/httpd/host_checks.h \
	mod_smtpd/httpd/kept_contents.cc \
	mod_smtpd/httpd/kept_contents.h \
	mod_smtpd/httpd/listeners.cc \
	mod_smtpd/httpd/listeners.h \
	mod_smtpd/httpd/mod_smtpd.cc \
	mod_smtpd/httpd/mpm_event.cc \
	mod_smtpd/httpd/mpm_event.h \
	mod_smtpd/httpd/passwords.cc \
	mod_smtpd/httpd/passwords.h \
	mod_smtpd/httpd/dns_latency_heuristic.h \
	mod_smtpd/httpd/proxied_client.cc \
	mod_smtpd/httpd/proxied_client.h \
	mod_smtpd/httpd/server.cc \
	mod_smtpd/httpd/server.h \
	mod_smtpd/httpd/directives.cc \
	mod_smtpd/httpd/directive_values.cc \
	mod_smtpd/httpd/directive_values.h \
	mod_smtpd/httpd/resolver_directive.cc \
	mod_smtpd/httpd/resolver_directive.h \
	mod_smtpd/httpd/server_config.cc \
	mod_smtpd/httpd/server_config.h \
	mod_smtpd/httpd/session_table.cc \
	mod_smtpd/httpd/session_table.h \
	mod_smtpd/httpd/ssl_object.cc \
	mod_smtpd/httpd/ssl_object.h \
	mod_smtpd/httpd/status_page.cc \
	mod_smtpd/httpd/status_page.h \
	mod_smtpd/httpd/tls.cc \
	mod_smtpd/httpd/tls.h \
	mod_smtpd/httpd/tls_config.cc \
	mod_smtpd/httpd/tls_config.h \
	mod_smtpd/httpd/tls_context.cc \
	mod_smtpd/httpd/tls_context.h \
	mod_smtpd/httpd/serving_user.cc \
	mod_smtpd/httpd/serving_user.h \
	mod_smtpd/httpd/stores.cc \
	mod_smtpd/httpd/stores.h \
	mod_smtpd/httpd/dry_run.cc \
	mod_smtpd/httpd/dry_run.h
mod_smtpd_mod_smtpd_la_CPPFLAGS = $(core_cppflags) $(core_precompiled) $(HTTPD_CPPFLAGS) -DSMTPD_PLUGIN_DIR='"$(plugindir)"' -DSMTPD_STATE_DIR='"$(statedir)"'
mod_smtpd_mod_smtpd_la_LDFLAGS = $(dso_ldflags) -Wl,--version-script=$(top_srcdir)/mod_smtpd/mod_smtpd.map -Wl,-Bsymbolic-functions
mod_smtpd_mod_smtpd_la_LIBADD = libsmtpd_core.la $(core_libs)
EXTRA_DIST += mod_smtpd/mod_smtpd.map
