/// trial.h: the server's side of the command smtpd-try: a configuration test in which one of the servers then plays a
/// session with nobody.
///
/// SmtpTry names two descriptors that the command has left open: one to read the request from, and one for the report
/// (trial/request.h). Servers know from the beginning that it is a trial: their stores forget, and their clock can be
/// moved.
#pragma once

#include "httpd/apache.h"

#include "store/backend.h"
#include "trial/clock.h"
#include "trial/request.h"

#include <string>
#include <vector>

namespace smtpd::httpd {

class Trial {
public:
    /// `report` is where the report goes.
    Trial(trial::Request request, int report) : report_(report), request_(std::move(request)) {}
    static Result<trial::Request> read_request(int descriptor);

    const trial::TrialClock& clock() const noexcept { return clock_; }
    store::Events& store_events() noexcept { return events_; }

    /// Behind a configuration test without mistakes: becomes the user that serves, plays, and writes the report.
    void run(apr_pool_t* pool, server_rec* main_server);

private:
    /// What an administrator has to hear of goes into the report.
    class Events final : public store::Events {
    public:
        void damaged(const std::string& what) noexcept override { add(what); }
        void unreachable(const std::string& what) noexcept override { add(what); }
        void reachable(const std::string&) noexcept override {}
        std::vector<std::string> texts;

    private:
        void add(const std::string& what) noexcept;
    };

    Result<std::string> play(apr_pool_t* pool, server_rec* main_server, trial::Outcome& outcome);

    const int report_;
    const trial::Request request_;
    trial::TrialClock clock_;
    Events events_;
};

/// test_config: nothing happens where there is no trial.
void run_trial(apr_pool_t* pool, server_rec* main_server);

}  // namespace smtpd::httpd
