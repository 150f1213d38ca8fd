/// dmarc_fuzz.cc: DMARC records, From fields, and whole evaluations with answers of any octets.
///
/// The input's lines are From fields; the same octets are the record of every name. Holds: a record keeps its limits,
/// and is read the same again; an author domain has no control characters, and is there only without a problem; an
/// evaluation ends within three rounds, with a policy if there is a record that counts.
#include <smtpd/mailauth/dmarc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace smtpd;
using namespace smtpd::mailauth;

void require(bool holds) {
    if (!holds) std::abort();
}

std::vector<std::string> lines_of(std::string_view input) {
    std::vector<std::string> lines;
    for (;;) {
        const auto end = input.find('\n');
        lines.emplace_back(input.substr(0, end));
        if (end == input.npos) return lines;
        input.remove_prefix(end + 1);
    }
}

void check_record(std::string_view text) {
    for (const auto rfc : {DmarcRfc::rfc9989, DmarcRfc::rfc7489}) {
        const auto record = DmarcRecord::parse(text, rfc);
        if (!record) continue;
        require(record->text == text && record->rua.size() <= max_report_uris && record->ruf.size() <= max_report_uris);
        require(record->is_usable == (!record->has_bad_policy || !record->rua.empty()));
        require(record->pct <= 100 && (rfc == DmarcRfc::rfc7489 || record->pct == 100));
        require(!record->has_bad_policy || (record->p == DmarcPolicy::none && !record->sp && !record->np));
        const auto again = DmarcRecord::parse(record->text, rfc);
        require(again && again->p == record->p && again->rua == record->rua && again->fo == record->fo);
    }
}

std::string check_author(const std::vector<std::string>& fields) {
    const auto author = author_domain(fields);
    require(author.found() == !author.domain.empty() && author.found() == author.reason().empty());
    require(author.domains.size() <= max_author_domains);
    for (const auto& domain : author.domains)
        require(std::none_of(domain.begin(), domain.end(),
                             [](char c) { return (static_cast<unsigned char>(c) <= ' ') || c == '\x7f' || c == '@'; }));
    return author.domain;
}

/// Every TXT answer is the input, in the second round; names alternate between existing and not.
class SameAnswer final : public Lookups {
public:
    explicit SameAnswer(std::string_view text) {
        auto records = std::make_shared<DnsRecords>();
        records->texts.emplace_back(text);
        found_ = DnsAnswer(DnsStatus::found, std::chrono::seconds(1), std::move(records));
    }
    const DnsAnswer& dns(DnsType type, std::string_view name) override {
        const auto question = DnsQuestion::make(type, name);
        if (!question) return bad_;
        const auto [known, is_new] = answers_.try_emplace({type, question->name});
        if (is_new) open_.push_back(known->first);
        return known->second;
    }
    void answer_all() {
        for (const auto& question : std::exchange(open_, {})) {
            const bool is_text = question.first == DnsType::txt && question.second.size() % 5 != 0;
            answers_[question] = is_text ? found_
                                         : DnsAnswer(question.second.size() % 2 == 0 ? DnsStatus::no_such_name
                                                                                     : DnsStatus::timed_out);
        }
    }
    std::size_t count() const noexcept { return answers_.size(); }

private:
    const DnsAnswer bad_{DnsStatus::bad_name};
    DnsAnswer found_;
    std::map<std::pair<DnsType, std::string>, DnsAnswer> answers_;
    std::vector<std::pair<DnsType, std::string>> open_;
};

void check_evaluation(const std::string& author, std::string_view text) {
    constexpr int most_rounds = 4;
    SameAnswer lookups(text);
    DmarcMessage message{.author = author};
    for (std::size_t i = 0; i < 2 * max_identifier_walks; ++i)
        message.dkim.push_back({"d" + std::to_string(i) + "." + author, i % 3 == 0 ? "temperror" : "pass"});
    message.spf.push_back({std::string(text.substr(0, 300)), "pass"});
    std::optional<DmarcResult> result;
    for (int round = 0; !result && round < most_rounds; ++round) {
        result = evaluate_dmarc(message, {}, lookups);
        if (!result) lookups.answer_all();
    }
    require(result.has_value());
    require(result->queries <= max_walk_queries * (max_identifier_walks + 1) + 2);
    require(result->outcome != DmarcOutcome::fail || (result->record && result->policy));
    require(result->disposition == DmarcPolicy::none || result->outcome == DmarcOutcome::fail);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    check_record(input);
    const auto lines = lines_of(input);
    check_author(lines);
    const std::string author = check_author({lines.front()});
    for (const auto& line : lines) check_record(line);
    check_evaluation(author.empty() ? "a.b.example.com" : author, lines.back());
    return 0;
}
