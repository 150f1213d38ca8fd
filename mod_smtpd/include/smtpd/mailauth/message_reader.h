/// message_reader.h: a message as DKIM (RFC 6376) and ARC (RFC 8617) look at it, read once while it arrives.
///
/// The reader keeps the header block and hashes the body, once for each form in which a signature of the message needs
/// it. So the size of a message costs neither memory nor a second reading.
///
///     MessageReader reader;
///     reader.chunk(octets);  // any number of times, in pieces of any size
///     reader.end();
///     … verify_dkim(reader, …)
///
/// A reader belongs to one message, and one thread uses it at a time. After end() several may read it.
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

/// How much a message may change on its way (RFC 6376 3.4).
enum class Canonicalization : std::uint8_t {
    simple,  ///< next to nothing
    relaxed  ///< white space, and the case of names of fields
};

using Sha256 = std::array<unsigned char, 32>;

/// The SHA-256 of a body in canonical form (RFC 6376 3.4.3, 3.4.4). What needs no change is hashed where it is.
class SMTPD_API BodyHasher {
public:
    /// `limit` is l= of a signature: how many octets of the canonical body count.
    explicit BodyHasher(Canonicalization canonicalization, std::optional<std::uint64_t> limit = std::nullopt);
    ~BodyHasher();
    BodyHasher(BodyHasher&&) noexcept;
    BodyHasher& operator=(BodyHasher&&) noexcept;

    /// The next octets of the body, in pieces of any size.
    void update(std::string_view octets);
    /// The body is complete. Once.
    void finish();

    Canonicalization canonicalization() const noexcept { return canonicalization_; }
    std::optional<std::uint64_t> limit() const noexcept { return limit_; }
    /// After finish().
    const Sha256& digest() const noexcept { return digest_; }
    /// After finish(): octets of the whole canonical body, whatever the limit.
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
    std::uint64_t empty_lines_ = 0;  ///< at the end so far; hashed only if something follows
    bool has_blank_ = false;         ///< white space that is hashed as one blank if the line goes on; relaxed only
    bool has_cr_ = false;            ///< a CR whose LF is to come
    bool line_has_content_ = false;
    std::size_t held_size_ = 0;
    std::array<char, 256> held_;  ///< short pieces, to be hashed together
};

class SMTPD_API MessageReader {
public:
    /// Octets of the header block. What is beyond is not looked at, and no signature passes.
    static constexpr std::size_t max_header_size = 1024 * 1024;
    /// Octets of a DKIM-Signature, ARC-Message-Signature or ARC-Seal field.
    static constexpr std::size_t max_signature_size = 64 * 1024;
    /// DKIM-Signature fields that are verified: those whose domain fits that of From first, then from the top.
    static constexpr std::size_t max_signatures = 10;
    /// Forms of the body that are hashed.
    static constexpr std::size_t max_body_hashes = 16;

    MessageReader();
    ~MessageReader();
    MessageReader(const MessageReader&) = delete;
    MessageReader& operator=(const MessageReader&) = delete;

    /// Octets of the message: header block, blank line, body; lines end in CRLF, dots as they are.
    void chunk(std::string_view octets);
    /// The message is complete.
    void end();
    /// Hashes the body in that form as well, whatever the signatures need: for a signature that is to be made. To be
    /// called before the first chunk().
    void hash_body(Canonicalization canonicalization, std::optional<std::uint64_t> limit = std::nullopt);

    bool is_complete() const noexcept;
    /// As received, without the blank line; complete when the body begins.
    const std::string& header_block() const noexcept;
    /// After end(): what was hashed in that form; null if it was not.
    const BodyHasher* body_hash(Canonicalization canonicalization,
                                std::optional<std::uint64_t> limit = std::nullopt) const noexcept;

    struct State;
    /// For the library.
    const State& state() const noexcept { return *state_; }

private:
    std::unique_ptr<State> state_;
};

}  // namespace smtpd::mailauth
