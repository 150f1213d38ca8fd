/// message_reader.h: reads a message for DKIM (RFC 6376) and ARC (RFC 8617), once, while it arrives.
///
/// The reader stores the header block. It hashes the body once for each canonical form that a signature of the message
/// needs. So it uses no more memory for a large body, and nothing reads the body again.
///
///     MessageReader reader;
///     reader.chunk(octets);  // any number of times, chunks of any size
///     reader.end();
///     … verify_dkim(reader, …)
///
/// A reader is for one message. Only one thread may use it at a time; after end(), several may read it.
#pragma once

#include <smtpd/base/api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace smtpd::mailauth {

/// Which changes in transit a signature tolerates (RFC 6376 3.4).
enum class Canonicalization : std::uint8_t {
    simple,  ///< almost none
    relaxed  ///< changes of white space, and of case in field names
};

using Sha256 = std::array<unsigned char, 32>;

/// Computes the SHA-256 of a body in canonical form (RFC 6376 3.4.3, 3.4.4). Text that needs no change is hashed
/// without a copy.
class SMTPD_API BodyHasher {
public:
    /// `limit` is l= of a signature: how many octets of the canonical body are hashed.
    explicit BodyHasher(Canonicalization canonicalization, std::optional<std::uint64_t> limit = std::nullopt);
    ~BodyHasher();
    BodyHasher(BodyHasher&&) noexcept;
    BodyHasher& operator=(BodyHasher&&) noexcept;

    /// Takes the next octets of the body, in chunks of any size.
    void update(std::string_view octets);
    /// Ends the body. Call it once.
    void finish();

    Canonicalization canonicalization() const noexcept { return canonicalization_; }
    std::optional<std::uint64_t> limit() const noexcept { return limit_; }
    /// After finish(): the hash.
    const Sha256& digest() const noexcept { return digest_; }
    /// After finish(): the size of the whole canonical body in octets, regardless of the limit.
    std::uint64_t canonical_size() const noexcept { return canonical_size_; }

private:
    void step(char c);
    void content(char c);
    void end_line();
    void emit(std::string_view octets);
    void hash(std::string_view octets);
    bool is_clean() const noexcept { return !has_blank_ && !has_cr_ && empty_lines_ == 0; }

    struct Free {
        void operator()(evp_md_ctx_st* context) const noexcept;
    };
    Canonicalization canonicalization_;
    std::optional<std::uint64_t> limit_;
    std::unique_ptr<evp_md_ctx_st, Free> context_;
    Sha256 digest_{};
    std::uint64_t canonical_size_ = 0;
    std::uint64_t empty_lines_ = 0;  ///< at the end so far; hashed only if a line with content follows
    bool has_blank_ = false;         ///< pending white space, hashed as one blank if the line continues; relaxed only
    bool has_cr_ = false;            ///< a CR, perhaps before its LF
    bool line_has_content_ = false;
    std::size_t held_size_ = 0;
    std::array<char, 256> held_;  ///< short pieces, collected to be hashed together
};

class SMTPD_API MessageReader {
public:
    /// Octets of the header block. If it is larger, the rest is ignored and no signature passes.
    static constexpr std::size_t max_header_size = 1024 * 1024;
    /// Octets of a DKIM-Signature, ARC-Message-Signature or ARC-Seal field. Longer fields do not pass.
    static constexpr std::size_t max_signature_size = 64 * 1024;
    /// How many DKIM-Signature fields are verified. If there are more, those whose domain is related to that of From
    /// come first, then the others from the top.
    static constexpr std::size_t max_signatures = 10;
    /// How many forms of the body are hashed.
    static constexpr std::size_t max_body_hashes = 16;

    MessageReader();
    ~MessageReader();
    MessageReader(const MessageReader&) = delete;
    MessageReader& operator=(const MessageReader&) = delete;

    /// Takes octets of the message: header block, blank line, body. Lines end in CRLF; there is no dot-stuffing.
    void chunk(std::string_view octets);
    /// Ends the message. Call it once.
    void end();
    /// Also hashes the body in this form, for a signature that the caller will make. Call it before the first chunk().
    void hash_body(Canonicalization canonicalization, std::optional<std::uint64_t> limit = std::nullopt);

    bool is_complete() const noexcept;
    /// The header block as received, without the blank line. It is complete as soon as the body begins.
    const std::string& header_block() const noexcept;
    /// After end(): the hash of the body in this form; null if it was not computed.
    const BodyHasher* body_hash(Canonicalization canonicalization,
                                std::optional<std::uint64_t> limit = std::nullopt) const noexcept;

    struct State;
    /// Only for functions of the library.
    const State& state() const noexcept { return *state_; }

private:
    std::unique_ptr<State> state_;
};

}  // namespace smtpd::mailauth
