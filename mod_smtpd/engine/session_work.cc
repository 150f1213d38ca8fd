/// session_work.cc: what a session leaves to threads that may block (Step::work), and what such a thread does.
///
/// A stage's chain stops before a handler that blocks; that is in session.cc. Hooks without a stage (parse hooks, and
/// observers at the end of a message, a transaction or a session) run in the middle of other code. If one of them
/// blocks, the whole command, message end or session end that leads to it becomes work before it begins.
#include "engine/session.h"

#include "support/work_pool.h"

#include <utility>

namespace smtpd::engine {

/// Whether the work must be left to a thread that may block, because one of these hooks blocks.
bool Session::hand_over(Work work, HookSet hooks) noexcept {
    if (may_wait_) return false;
    const HookSet waiting = hooks_.waits_at();
    hooks |= hooks_everywhere;
    if (!waiting.intersects(hooks)) return false;
    support::Lane* lane = nullptr;
    bool is_mixed = false;
    for (unsigned i = 0; i < static_cast<unsigned>(HookId::count); ++i) {
        const auto hook = static_cast<HookId>(i);
        if (!hooks.contains(hook) || !waiting.contains(hook)) continue;
        if (lane == nullptr) lane = hooks_.lane(hook, held_lane_);
        is_mixed |= hooks_.lane(hook, lane) != nullptr;
    }
    if (lane == nullptr) return false;
    work_lane_ = lane;
    is_work_mixed_ = is_mixed;
    work_ = work;
    return true;
}

/// Hooks that a command runs directly, without a stage.
HookSet Session::hooks_of(smtp::Verb verb) const noexcept {
    using smtp::Verb;
    const HookSet end_of_transaction = transaction_ ? HookSet{HookId::reset_transaction} : HookSet();
    switch (verb) {
        case Verb::helo: return HookSet{HookId::helo_parse} | end_of_transaction;
        case Verb::ehlo:
        case Verb::lhlo: return HookSet{HookId::ehlo_parse} | end_of_transaction;
        case Verb::auth: return {HookId::auth_parse, HookId::auth_result};
        case Verb::mail: return {HookId::mail_parse, HookId::mail_pre};
        case Verb::rcpt: return {HookId::rcpt_parse, HookId::rcpt_pre};
        case Verb::rset:
        case Verb::bdat:
        case Verb::starttls:
        case Verb::xclient: return end_of_transaction;
        default: return {};
    }
}

/// Hooks that may run directly after a stage, whatever its result.
HookSet Session::hooks_behind(HookId stage) const noexcept {
    const HookSet end_of_transaction = transaction_ ? HookSet{HookId::reset_transaction} : HookSet();
    switch (stage) {
        case HookId::helo:
        case HookId::ehlo:
        case HookId::mail:
        case HookId::data: return end_of_transaction;
        case HookId::data_post_headers: return end_of_transaction | HookSet{HookId::received_line};
        case HookId::data_post:
        case HookId::data_post_rcpt:
        case HookId::queue_pre: return end_of_transaction;
        case HookId::queue: return end_of_transaction | HookSet{HookId::queue_post};
        case HookId::auth_plain:
        case HookId::auth_login:
        case HookId::auth_cram_md5:
        case HookId::auth_scram_sha_1:
        case HookId::auth_scram_sha_256:
        case HookId::auth_external:
        case HookId::auth_bearer:
        case HookId::auth: return {HookId::auth_result};
        default: return {};
    }
}

Step Session::do_work() { return do_work(true); }

/// Doing the work may lead to more work of the same kind.
bool Session::try_work() {
    const support::Lane* const lane = work_lane_;
    while (has_work() && work_lane_ == lane && !is_work_mixed_ && work_lane_->try_hold()) do_work(false);
    return !has_work();
}

Step Session::do_work(bool may_wait) {
    const Work work = std::exchange(work_, Work::none);
    do_work(work, may_wait);
    if (!over_ && !is_busy() && !handshake_) work_off_backlog();
    return step();
}

/// Others need the lane too: it is held no longer than a handler may need it.
void Session::let_go() noexcept {
    if (held_lane_ == nullptr || may_wait_) return;
    held_lane_->let_go();
    held_lane_ = nullptr;
}

/// During its scope, this thread may call the handlers of that lane; and if it may block, also all handlers of hooks
/// without a stage.
void Session::do_work(Work work, bool may_wait) {
    struct Permission {
        Permission(Session& session, bool may_wait) noexcept : session(session) {
            session.may_wait_ = may_wait;
            session.held_lane_ = session.work_lane_;
        }
        ~Permission() {
            session.let_go();
            session.may_wait_ = !session.services_.has_workers;
            session.held_lane_ = nullptr;
        }
        Session& session;
    } const permission(*this, may_wait);
    switch (work) {
        case Work::none:
        case Work::input: break;
        case Work::begin: begin(); break;
        case Work::command: {
            std::string line = std::exchange(deferred_line_, {});
            dispatch(line);
            wipe(line);
            break;
        }
        case Work::chain: continue_stage(); break;
        case Work::encrypted: forget_clear_text(); break;
        case Work::message_end: end_of_message_input(); break;
        case Work::conclude: conclude(); break;
    }
    enforce_error_limit();
    if (work == Work::input) work_off_backlog();
}

Step Session::give_up_work() {
    if (work_ != Work::chain || stage_->chain().lane == nullptr) return step();
    work_ = Work::none;
    stage_->chain().is_late = true;
    continue_stage();
    enforce_error_limit();
    if (!over_ && !is_busy()) work_off_backlog();
    return step();
}

}  // namespace smtpd::engine
