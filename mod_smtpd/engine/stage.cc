#include "engine/stage.h"

#include "engine/server_access.h"

#include <algorithm>

namespace smtpd::engine {

Stage::~Stage() {
    for (const auto& awaited : tasks_)
        if (awaited.is_own) awaited.task->give_up();
}

void Stage::begin(bool client_has_spoken) {
    has_askers_ = true;
    ask();
    spoke_ = chain_.wait.silence.count() > 0 && client_has_spoken;
}

/// One round: the plugins ask for what they do not know yet, and the questions are sent.
void Stage::ask() {
    if (!has_askers_) return;
    chain_.wait.questions.clear();
    owner_.with_context(hook_, argument_, [this](HookContext& context) {
        ServerAccess::set_answers(context, answers());
        hooks_.ask(context, chain_.wait);
    });
    if (!owner_.may_ask_for_silence()) chain_.wait.silence = Duration(0);
    if (!chain_.wait.questions.empty()) put_questions();
    for (auto& task : chain_.wait.tasks) start_task(std::move(task));
    chain_.wait.tasks.clear();
}

/// Without threads for tasks, the task runs here; the questions were sent before.
void Stage::start_task(Wait::Task task) {
    const MonotonicTime limit = since_ + task.limit;
    auto running = std::make_shared<RunningTask>(std::move(task.work), limit, clock_);
    AwaitedTask& awaited = tasks_.emplace_back(
        AwaitedTask{std::move(task.name), std::move(running), nullptr, limit, true});
    if (limit <= clock_.now()) return;  // it is given up at the next check
    if (services_.tasks != nullptr) awaited.started = services_.tasks->start_task(*task.lane, awaited.task);
    else awaited.task->run();
}

void Stage::await(std::string name, std::shared_ptr<RunningTask> task, Duration limit) {
    tasks_.push_back({{nullptr, std::move(name)}, std::move(task), nullptr, since_ + limit, false});
}

/// Takes the results of tasks that have ended or whose time has passed. False if there are none.
bool Stage::collect_tasks() {
    const MonotonicTime now = clock_.now();
    const auto is_over = [now](const AwaitedTask& one) { return one.task->is_done() || one.limit <= now; };
    const auto over = std::stable_partition(tasks_.begin(), tasks_.end(), std::not_fn(is_over));
    if (over == tasks_.end()) return false;
    if (!task_results_) task_results_ = std::make_shared<TaskResults>();
    for (auto one = over; one != tasks_.end(); ++one) {
        if (!one->task->is_done()) owner_.log_late_task(one->name.key);
        task_results_->add(one->name.instance, std::move(one->name.key), one->task->result());
        if (one->is_own) one->task->give_up();
    }
    tasks_.erase(over, tasks_.end());
    return true;
}

/// The questions are sent together, and waited for handler by handler.
void Stage::put_questions() {
    const std::span<Wait::Question> all(chain_.wait.questions);
    std::size_t at = 0;
    for (const std::size_t part : chain_.wait.batch_sizes) {
        put_batch(all.subspan(at, part));
        at += part;
    }
    if (at < all.size()) put_batch(all.subspan(at));
}

void Stage::put_batch(std::span<Wait::Question> questions) {
    std::vector<DnsQuestion> asked;
    Batch batch;
    for (auto& [question, limit] : questions) {
        if (services_.names == nullptr) {
            take_answer(question, DnsAnswer::failure(DnsStatus::server_failure, "this server has no resolver"));
        } else if (since_ + limit <= clock_.now()) {
            take_answer(question, DnsAnswer(DnsStatus::timed_out));
        } else {
            asked.push_back(std::move(question));
            batch.limits.push_back(limit);
        }
    }
    batch.lookup = services_.names != nullptr ? services_.names->look_up(std::move(asked))
                                              : std::make_shared<net::Lookup>(std::move(asked), nullptr);
    batches_.push_back(std::move(batch));
}

void Stage::take_answer(const DnsQuestion& question, DnsAnswer answer) {
    owner_.log_answer(question, answer);
    if (!dns_answers_) dns_answers_ = std::make_shared<DnsAnswers>();
    dns_answers_->add(question, std::move(answer));
}

/// Takes the answers of the batches whose time has passed; questions without an answer have timed out. False if there
/// are no such batches.
bool Stage::collect_answers() {
    const auto is_over = [this](const Batch& batch) { return !next_limit(batch); };
    const auto over = std::stable_partition(batches_.begin(), batches_.end(), std::not_fn(is_over));
    if (over == batches_.end()) return false;
    for (auto batch = over; batch != batches_.end(); ++batch)
        for (std::size_t i = 0; i < batch->lookup->questions().size(); ++i)
            take_answer(batch->lookup->questions()[i],
                        batch->lookup->answer(i).value_or(DnsAnswer(DnsStatus::timed_out)));
    batches_.erase(over, batches_.end());
    return true;
}

/// When the next open question is given up; nothing if none of them is waited for.
std::optional<MonotonicTime> Stage::next_limit(const Batch& batch) const {
    if (batch.lookup->is_complete()) return std::nullopt;
    std::optional<MonotonicTime> next;
    for (std::size_t i = 0; i < batch.limits.size(); ++i) {
        const MonotonicTime limit = since_ + batch.limits[i];
        if (limit > clock_.now() && (!next || limit < *next) && !batch.lookup->answer(i)) next = limit;
    }
    return next;
}

bool Stage::has_all_answers() const noexcept {
    return std::all_of(batches_.begin(), batches_.end(),
                       [](const Batch& batch) { return batch.lookup->is_complete(); }) &&
           std::all_of(tasks_.begin(), tasks_.end(), [](const AwaitedTask& one) { return one.task->is_done(); });
}

void Stage::client_spoke() noexcept {
    if (clock_.now() < since_ + chain_.wait.silence) spoke_ = true;
}

Answers Stage::answers() const {
    if (result_) return *result_;
    return Answers(spoke_, std::chrono::duration_cast<Duration>(clock_.now() - since_), dns_answers_, task_results_);
}

/// When the next awaited item is given up.
MonotonicTime Stage::next_look() const {
    MonotonicTime next = MonotonicTime::max();
    for (const auto& batch : batches_) next = std::min(next, next_limit(batch).value_or(clock_.now()));
    for (const auto& one : tasks_) next = std::min(next, one.limit);
    return next;
}

/// Answers come first, then the time or early input of the client. The end of the client's input shortens the wait for
/// a time, but not for answers: a client that closes early must not be judged less strictly.
bool Stage::is_over(bool is_at_end_of_input) {
    for (;;) {
        const bool has_answers = collect_answers();
        const bool has_results = collect_tasks();
        if (!has_answers && !has_results) break;
        ask();
    }
    if (awaits_answers()) {
        wake_at_ = next_look();
        return false;
    }
    const Wait& wait = chain_.wait;
    wake_at_ = since_ + (spoke_ ? wait.delay : std::max(wait.delay, wait.silence));
    return is_at_end_of_input || clock_.now() >= wake_at_;
}

}  // namespace smtpd::engine
