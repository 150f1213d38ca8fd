/// dkim_load.cc: what verifying a DKIM signature costs beside what OpenSSL needs for its part of it, in one run.
///
/// dkim_load [--seconds S]
///
/// A message of 10 KB with one signature, which arrives in pieces of 4 KB; its key is in the cache. Prints JSON, times
/// in microseconds of CPU: for RSA of 2048 bits and for Ed25519, the bare verification and SHA-256 of the body
/// (`bare`), and verify_dkim() with all that belongs to it (`ours`).
#include "mailauth/openssl.h"
#include "mailauth/public_key.h"
#include "support/base64.h"

#include <smtpd/mailauth/dkim.h>
#include <smtpd/mailauth/dkim_sign.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

namespace {

using namespace smtpd;
using namespace smtpd::mailauth;

constexpr std::chrono::sys_seconds now{std::chrono::seconds(1760000000)};

std::string message() {
    std::string text =
        "Received: from mx.example.net (mx.example.net [192.0.2.1]) by mx.example.com with ESMTPS id 1; Thu, 9 Oct "
        "2025\r\n"
        "From: Joe <joe@example.org>\r\nTo: Suzie <suzie@example.com>\r\nSubject: Is dinner ready?\r\n"
        "Date: Thu, 9 Oct 2025 08:53:20 +0000\r\nMessage-ID: <20251009@example.org>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nReferences: <1@example.org> <2@example.org>\r\n\r\n";
    const std::size_t header = text.size();
    while (text.size() < header + 10 * 1024)
        text += "We lost the game. Are you hungry yet? It was a long day, and so we are late.\r\n";
    return text;
}

class OneKey final : public Lookups {
public:
    explicit OneKey(std::string text) {
        auto records = std::make_shared<DnsRecords>();
        records->texts.push_back(std::move(text));
        answer_ = DnsAnswer(DnsStatus::found, std::chrono::seconds(3600), std::move(records));
    }
    const DnsAnswer& dns(DnsType, std::string_view) override { return answer_; }

private:
    DnsAnswer answer_;
};

double cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Microseconds for one call of each; they take turns, so that both meet the same noise.
template <class A, class B>
std::pair<double, double> compared(double seconds, A a, B b) {
    double spent_a = 0, spent_b = 0;
    long calls = 0;
    constexpr int batch = 50;
    while (spent_a + spent_b < seconds) {
        const double begin = cpu_seconds();
        for (int i = 0; i < batch; ++i) a();
        const double middle = cpu_seconds();
        for (int i = 0; i < batch; ++i) b();
        spent_a += middle - begin;
        spent_b += cpu_seconds() - middle;
        calls += batch;
    }
    return {spent_a / static_cast<double>(calls) * 1e6, spent_b / static_cast<double>(calls) * 1e6};
}

bool is_good = true;

void measure(const char* name, const PrivateKey& key, double seconds, bool is_last) {
    const std::string text = message();
    const auto end = text.find("\r\n\r\n");
    BodyHasher body(Canonicalization::relaxed);
    body.update(std::string_view(text).substr(end + 4));
    body.finish();
    const auto value = sign_dkim(std::string_view(text).substr(0, end + 2), body,
                                 {.domain = "example.org", .selector = "sel", .time = now}, key);
    const std::string whole = "DKIM-Signature: " + *value + "\r\n" + text;
    const std::string record = std::string(key.is_rsa() ? "" : "k=ed25519; ") + "p=" + key.public_text();
    OneKey lookups(record);
    KeyCache keys;
    const auto public_key = PublicKey::parse(key.is_rsa() ? KeyType::rsa : KeyType::ed25519,
                                             *support::from_base64(key.public_text()));
    const Sha256 digest = sha256("anything");
    const std::string signature = *key.sign(digest);
    const std::string_view octets = std::string_view(text).substr(end + 4);
    const auto [bare, ours] = compared(
        seconds, [&] { is_good = public_key->verifies(digest, signature) && sha256(octets)[0] + 1 > 0 && is_good; },
        [&] {
            MessageReader reader;
            for (std::size_t at = 0; at < whole.size(); at += 4096)
                reader.chunk(std::string_view(whole).substr(at, 4096));
            reader.end();
            const auto all = verify_dkim(reader, lookups, keys, now);
            is_good = all && all->size() == 1 && all->front().passes() && is_good;
        });
    std::printf("\"%s\": {\"bare\": %.3f, \"ours\": %.3f, \"ratio\": %.3f}%s", name, bare, ours, ours / bare,
                is_last ? "" : ", ");
}

}  // namespace

int main(int argc, char** argv) {
    double seconds = 2;
    for (int i = 1; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--seconds" && i + 1 < argc) seconds = std::atof(argv[++i]);
        else return 2;
    }
    const auto rsa = PrivateKey::generate_rsa(2048);
    const auto ed25519 = PrivateKey::generate_ed25519();
    if (!rsa || !ed25519) return 1;
    std::printf("{");
    measure("rsa-sha256", *rsa, seconds / 2, false);
    measure("ed25519-sha256", *ed25519, seconds / 2, true);
    std::printf("}\n");
    return is_good ? 0 : 1;
}
