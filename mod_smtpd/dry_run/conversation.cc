#include "dry_run/conversation.h"

#include "support/strings.h"

#include <thread>

namespace smtpd::dry_run {

std::shared_ptr<net::Lookup> Names::look_up(std::vector<DnsQuestion> questions) {
    news_ = std::make_shared<News>();
    auto lookup = resolver_.start(std::move(questions), [news = news_] {
        const std::lock_guard lock(news->mutex);
        news->is_there = true;
        news->came.notify_all();
    });
    lookup_ = lookup;
    return lookup;
}

bool Names::wait(MonotonicTime until) {
    const auto lookup = lookup_.lock();
    if (!lookup) return false;  // the session has its answers, and waits for something else
    if (lookup->is_complete()) return true;
    if (!answers_come_) return false;
    std::unique_lock lock(news_->mutex);
    return news_->came.wait_until(lock, clock_.real(until), [this] { return news_->is_there; });
}

Result<std::unique_ptr<net::Resolver>> read_zone(std::string_view text) {
    auto zone = std::make_unique<net::ZoneResolver>();
    if (auto good = zone->read(text); !good) return good.error();
    return std::unique_ptr<net::Resolver>(std::move(zone));
}

std::string Conversation::start_encrypted(Tls facts, smtp::ChannelBindings bindings) {
    session_.expect_tls();
    return settled(session_.tls_started(std::move(facts), std::move(bindings)));
}

std::string Conversation::all_at_once(std::string_view octets) {
    session_.start();
    std::string out = settled(session_.feed(octets));
    return out + end();
}

std::string Conversation::settled(engine::Step step) {
    std::string out;
    for (;;) {
        out += session_.output();
        session_.output().clear();
        if (step == engine::Step::park) sit_out();
        else if (step != engine::Step::more) return out;
        step = session_.resume();
    }
}

void Conversation::sit_out() {
    const MonotonicTime began = clock_.now();
    pass_time();
    waited_ += std::chrono::round<Duration>(clock_.now() - began);
}

void Conversation::pass_time() {
    const MonotonicTime until = session_.wake_at();
    if (names_ != nullptr && names_->wait(until)) return;
    if (takes_time_) std::this_thread::sleep_until(clock_.real(until));
    clock_.move_to(until);
}

std::string_view take_line(std::string_view& text) noexcept {
    const auto line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    return line;
}

std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
    std::string_view port;
    if (!text.empty() && text.front() == '[') {
        const auto end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        port = text.substr(end + 1);
        text = text.substr(1, end - 1);
    } else if (const auto colon = text.find(':');
               colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
        port = text.substr(colon);
        text = text.substr(0, colon);
    }
    const auto address = IpAddress::parse(text);
    if (!address) return std::nullopt;
    if (port.empty()) return Endpoint{*address, default_port};
    const auto number = support::parse_unsigned(port.substr(1));
    if (port.front() != ':' || !number || *number == 0 || *number > 65535) return std::nullopt;
    return Endpoint{*address, static_cast<std::uint16_t>(*number)};
}

}  // namespace smtpd::dry_run
