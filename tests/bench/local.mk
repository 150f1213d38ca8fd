# tests/bench/local.mk: "make bench". BENCH_FLAGS takes the options of tests/bench/bench, for example BENCH_FLAGS='--quick --only kept'.

EXTRA_DIST += tests/bench/README.md tests/bench/bench tests/bench/auth_measures.py tests/bench/bystander_measures.py tests/bench/chain.py tests/bench/chain_measures.py tests/bench/LocalDns.pm tests/bench/measures.py tests/bench/processes.py tests/bench/servers.py

EXTRA_PROGRAMS += tests/bench/smtp_load
tests_bench_smtp_load_SOURCES = tests/bench/smtp_load.cc tests/bench/tls_client.h
tests_bench_smtp_load_CPPFLAGS = $(OPENSSL_CFLAGS)
tests_bench_smtp_load_LDFLAGS = $(SANITIZER_FLAGS)
tests_bench_smtp_load_LDADD = $(OPENSSL_LIBS)

EXTRA_PROGRAMS += tests/bench/dns_load
tests_bench_dns_load_SOURCES = tests/bench/dns_load.cc
tests_bench_dns_load_LDFLAGS = $(SANITIZER_FLAGS)

EXTRA_PROGRAMS += tests/bench/store_load
tests_bench_store_load_SOURCES = tests/bench/store_load.cc
tests_bench_store_load_CPPFLAGS = $(core_cppflags)
tests_bench_store_load_LDFLAGS = $(program_ldflags) $(whole_core)
tests_bench_store_load_LDADD = $(core_libs)
tests_bench_store_load_DEPENDENCIES = libsmtpd_core.la

EXTRA_PROGRAMS += tests/bench/spf_load
tests_bench_spf_load_SOURCES = tests/bench/evaluation_load.h tests/bench/spf_load.cc
tests_bench_spf_load_CPPFLAGS = $(tests_cppflags)
tests_bench_spf_load_LDFLAGS = $(program_ldflags) $(whole_core)
tests_bench_spf_load_LDADD = $(core_libs)
tests_bench_spf_load_DEPENDENCIES = libsmtpd_core.la
CLEANFILES += tests/bench/spf_load

EXTRA_PROGRAMS += tests/bench/dmarc_load
tests_bench_dmarc_load_SOURCES = tests/bench/dmarc_load.cc tests/bench/evaluation_load.h
tests_bench_dmarc_load_CPPFLAGS = $(tests_cppflags)
tests_bench_dmarc_load_LDFLAGS = $(program_ldflags) $(whole_core)
tests_bench_dmarc_load_LDADD = $(core_libs)
tests_bench_dmarc_load_DEPENDENCIES = libsmtpd_core.la
CLEANFILES += tests/bench/dmarc_load

EXTRA_PROGRAMS += tests/bench/dkim_load
tests_bench_dkim_load_SOURCES = tests/bench/dkim_load.cc
tests_bench_dkim_load_CPPFLAGS = $(core_cppflags)
tests_bench_dkim_load_LDFLAGS = $(program_ldflags) $(whole_core)
tests_bench_dkim_load_LDADD = $(core_libs)
tests_bench_dkim_load_DEPENDENCIES = libsmtpd_core.la
CLEANFILES += tests/bench/dkim_load

# DKIM by itself: our time beside OpenSSL's.
bench-dkim: tests/bench/dkim_load
	@tests/bench/dkim_load
.PHONY: bench-dkim

EXTRA_LTLIBRARIES = tests/bench/declines.la
tests_bench_declines_la_LDFLAGS = $(plugin_ldflags) -rpath /nowhere

bench: all tests/bench/smtp_load tests/bench/dns_load tests/bench/spf_load tests/bench/declines.la tests/helper_plugins/stalls.la
	@SMTPD_BUILD_DIR='$(abs_top_builddir)' $(PYTHON) $(top_srcdir)/tests/bench/bench $(BENCH_FLAGS)
.PHONY: bench

# The store by itself; STORE_FLAGS='--redis /path/of/socket' adds the rows for a Redis that listens there.
bench-store: tests/bench/store_load
	@tests/bench/store_load $(STORE_FLAGS)
.PHONY: bench-store
CLEANFILES += tests/bench/store_load tests/bench/dns_load tests/bench/smtp_load tests/bench/declines.la
