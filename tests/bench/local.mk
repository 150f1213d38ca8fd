# tests/bench/local.mk: "make bench". BENCH_FLAGS takes the options of tests/bench/bench, for example BENCH_FLAGS='--quick --only kept'.

EXTRA_DIST += tests/bench/README.md tests/bench/bench tests/bench/measures.py tests/bench/processes.py tests/bench/servers.py

EXTRA_PROGRAMS += tests/bench/smtp_load
tests_bench_smtp_load_SOURCES = tests/bench/smtp_load.cc
tests_bench_smtp_load_LDFLAGS = $(SANITIZER_FLAGS)

EXTRA_LTLIBRARIES = tests/bench/declines.la
tests_bench_declines_la_LDFLAGS = $(plugin_ldflags) -rpath /nowhere

bench: all tests/bench/smtp_load tests/bench/declines.la
	@SMTPD_BUILD_DIR='$(abs_top_builddir)' $(PYTHON) $(top_srcdir)/tests/bench/bench $(BENCH_FLAGS)
.PHONY: bench
CLEANFILES += tests/bench/smtp_load tests/bench/declines.la
