/// dry_run.h: the server's part of the command smtpd-try: a configuration test in which one server then simulates a
/// session.
///
/// SmtpTry names two descriptors that the command has left open: one to read the request from, and one for the report
/// (dry_run/request.h). Servers know from the beginning that it is a dry run: their stores discard changes, and their
/// clock can be moved.
#pragma once

#include "httpd/apache.h"

#include "dry_run/clock.h"
#include "dry_run/request.h"
#include "store/backend.h"

#include <string>
#include <vector>

namespace smtpd::httpd {

class DryRun {
public:
    /// `report` is the descriptor for the report.
    DryRun(dry_run::Request request, int report) : report_(report), request_(std::move(request)) {}
    static Result<dry_run::Request> read_request(int descriptor);

    const dry_run::DryRunClock& clock() const noexcept { return clock_; }
    store::Events& store_events() noexcept { return events_; }

    /// Called after a configuration test without errors: changes to the serving user, simulates the session, and writes
    /// the report.
    void run(apr_pool_t* pool, server_rec* main_server);

private:
    /// Puts messages for the administrator into the report.
    class Events final : public store::Events {
    public:
        void damaged(const std::string& what) noexcept override { add(what); }
        void unreachable(const std::string& what) noexcept override { add(what); }
        void reachable(const std::string&) noexcept override {}
        std::vector<std::string> texts;

    private:
        void add(const std::string& what) noexcept;
    };

    Result<std::string> play(apr_pool_t* pool, server_rec* main_server, dry_run::MailOutcome& outcome);

    const int report_;
    const dry_run::Request request_;
    dry_run::DryRunClock clock_;
    Events events_;
};

/// test_config: does nothing unless this is a dry run.
void start_dry_run(apr_pool_t* pool, server_rec* main_server);

}  // namespace smtpd::httpd
