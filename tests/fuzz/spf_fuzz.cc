/// spf_fuzz.cc: SPF records, and evaluations whose DNS says anything.
///
/// Holds: every record parses or says why, in printable text; an evaluation ends after a few rounds with few questions;
/// with all answers at hand at once its result is the same; its counts keep to the limits; what goes into logs, replies
/// and header fields is printable.
///
/// The first octet of the input chooses the client and the sender. The rest is lines: the texts of d.example (each with
/// "v=spf1 " before it), e.example, f.example and of every other name in turn. The answers to other questions follow
/// from the octets of their names.
#include "mailauth/spf_record.h"

#include <smtpd/mailauth/spf.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace smtpd;
using namespace smtpd::mailauth;

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// The DNS of this input.
class World final : public Lookups {
public:
    explicit World(std::vector<std::string> lines) : lines_(std::move(lines)) {}

    const DnsAnswer& dns(DnsType type, std::string_view name) override {
        static const DnsAnswer unknown, impossible(DnsStatus::bad_name);
        const auto question = DnsQuestion::make(type, name);
        if (!question) return impossible;
        const auto [known, is_new] = answers_.try_emplace({type, question->name});
        if (is_new && is_at_once) known->second = answer(*question);
        else if (is_new) open_.push_back(*question);
        return known->second;
    }
    bool answer_all() {
        for (const auto& question : open_) answers_[{question.type, question.name}] = answer(question);
        return !std::exchange(open_, {}).empty();
    }
    std::size_t asked() const noexcept { return answers_.size(); }

    bool is_at_once = false;

private:
    DnsAnswer answer(const DnsQuestion& question) const {
        unsigned sum = static_cast<unsigned>(question.type);
        for (const char c : question.name) sum = sum * 31 + static_cast<unsigned char>(c);
        DnsRecords records;
        if (question.type == DnsType::txt) {
            const std::size_t line = question.name == "d.example"   ? 0
                                     : question.name == "e.example" ? 1
                                     : question.name == "f.example" ? 2
                                                                    : sum % std::max<std::size_t>(lines_.size(), 1);
            if (line >= lines_.size() || sum % 11 == 3) return DnsAnswer(DnsStatus::no_such_name);
            records.texts.push_back((question.name.size() == 9 ? "v=spf1 " : "") + lines_[line]);
        } else if (sum % 7 == 1) {
            return DnsAnswer::failure(DnsStatus::timed_out, "no answer in time");
        } else if (sum % 7 == 2) {
            return DnsAnswer(DnsStatus::no_data);
        } else if (question.type == DnsType::a) {
            records.addresses.push_back(IpAddress::v4({192, 0, 2, static_cast<std::uint8_t>(sum % 4)}));
        } else if (question.type == DnsType::aaaa) {
            records.addresses.push_back(*IpAddress::parse(sum % 2 ? "2001:db8::1" : "2001:db8::2"));
        } else if (question.type == DnsType::mx) {
            for (unsigned i = 0; i < sum % 13; ++i)
                records.exchangers.push_back({0, "m" + std::to_string(i) + ".d.example"});
            if (records.exchangers.empty()) records.exchangers.push_back({0, ""});
        } else {
            for (unsigned i = 0; i <= sum % 13; ++i) records.names.push_back("p" + std::to_string(i) + ".d.example");
        }
        return DnsAnswer(DnsStatus::found, {}, std::make_shared<const DnsRecords>(std::move(records)));
    }

    const std::vector<std::string> lines_;
    std::map<std::pair<DnsType, std::string>, DnsAnswer> answers_;
    std::vector<DnsQuestion> open_;
};

SpfRequest request_of(unsigned choice) {
    const auto client = *IpAddress::parse(choice % 2 ? "2001:db8::1" : "192.0.2.1");
    if (choice % 8 < 2) return SpfRequest::from_helo(client, "d.example");
    return SpfRequest::mail_from(client, "he lo\r\n.example", choice % 8 < 4 ? "a.b-c+d" : "\xc3\xb6 \"x", "d.example");
}

void check_record(std::string_view line) {
    const auto record = SpfRecord::parse("v=spf1 " + std::string(line));
    require(is_printable(record.problem), "what is wrong with a record is printable");
    for (const auto& term : record.terms) require(is_printable(term.text), "only ASCII is a term");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1 || size > 20000) return 0;
    std::vector<std::string> lines(1);
    for (std::size_t i = 1; i < size; ++i)
        if (data[i] == '\n' && lines.size() < 8) lines.emplace_back();
        else lines.back() += static_cast<char>(data[i]);
    for (const auto& line : lines) check_record(line);

    static const SpfEvaluator spf({.void_limit = 5, .receiver = "us.example"});
    const SpfRequest request = request_of(data[0]);
    World world(lines), at_once(lines);
    at_once.is_at_once = true;
    std::optional<SpfOutcome> outcome;
    unsigned rounds = 0;
    while (!(outcome = spf.evaluate(request, world))) {
        require(world.answer_all(), "an evaluation without result asks something");
        require(++rounds <= 30, "an evaluation ends soon");
    }
    require(world.asked() <= 400, "an evaluation asks little");
    require(spf.evaluate(request, at_once) == outcome, "rounds do not change the result");
    require(outcome->lookups <= 10 && outcome->voids <= 6, "limits are kept");
    require(outcome->explanation.size() <= 400 && is_printable(outcome->explanation), "explanations are printable");
    require(outcome->explanation.empty() || outcome->result == SpfResult::fail, "only a fail is explained");
    require(is_printable(outcome->problem) && is_printable(outcome->mechanism), "what is logged is printable");
    std::string field = received_spf(request, *outcome, "us.example");
    for (std::size_t at = field.find('\n'); at != field.npos; at = field.find('\n', at + 1))
        require(field.at(at + 1) == '\t', "the field is folded");
    std::erase_if(field, [](char c) { return c == '\n' || c == '\t'; });
    require(is_printable(field), "the field is printable");
    require(is_printable(spf_authentication_result(request, *outcome).to_string()), "the result is printable");
    return 0;
}
