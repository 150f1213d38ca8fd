/// message_intake.h: receives a message, by DATA (RFC 5321 4.1.1.4) or in the chunks of BDAT (RFC 3030), up to its end.
///
/// Octets of the connection go in; those of the message are decoded, checked against the limits, and stored in the
/// transaction. An error is remembered and reported only at the end of the data or of the chunk, so that client and
/// server stay synchronised. The two exceptions are hangs_up() and closes_session().
///
/// One object receives one message and exists until its transaction ends. It sends nothing and logs nothing. Plugins
/// learn about the message through the Observer. Not thread-safe.
#pragma once

#include "engine/mail_transaction.h"
#include "engine/replies.h"
#include "smtp/data_decoder.h"

#include <smtpd/base/clock.h>
#include <smtpd/base/reply.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace smtpd::engine {

/// A chunk of BDAT: the command was read, and its octets follow, whatever the reply.
struct Chunk {
    std::uint64_t size;
    std::uint64_t left;  ///< octets still to come
    bool is_last;
    MonotonicTime since;
    /// Its octets are discarded, and this is the reply; an empty reply: a plugin has replied.
    std::optional<Reply> refusal{};
    std::uint32_t answers = 1;  ///< how often that reply is sent

    /// Removes the octets that belong to the chunk from the front of `input`.
    std::string_view take(std::string_view& input) noexcept;
};

class MessageIntake final : private smtp::DataDecoder::Sink {
public:
    enum class Source : std::uint8_t { data, chunks };

    struct Rules {
        smtp::BareNewline bare_newline = smtp::BareNewline::reject;
        std::uint64_t max_size = 0;  ///< octets of the message; 0 = no limit
        std::uint64_t max_line = 0;  ///< octets of a line with its CRLF; 0 = no limit
        bool is_observed = false;    ///< the observer gets the octets
    };

    /// Notified while the message arrives. It must not end the transaction meanwhile.
    class Observer {
    public:
        virtual ~Observer() = default;
        /// Decoded octets of the message; only if the rules say that it is observed.
        virtual void message_octets(std::string_view piece) = 0;
        /// The header block is complete. A result that does not proceed refuses the message.
        virtual StageResult header_arrived() = 0;
    };

    enum class Status : std::uint8_t {
        incomplete,  ///< more is to come
        complete,    ///< the message is stored completely
        refused      ///< refusal() has the reason
    };

    /// Begins a message of that transaction, which must outlive this object, as must the observer.
    MessageIntake(Source source, MailTransaction& transaction, const Rules& rules, Observer& observer,
                  MonotonicTime since);

    /// For DATA: decodes up to the end of data and returns how many octets that consumed.
    std::size_t feed(std::string_view input);
    /// For BDAT: a piece of a chunk.
    void feed_chunk(std::string_view piece);
    /// Call it when is_at_end() is true.
    Status end_of_data();
    Status end_of_chunk(bool is_last);

    bool is_in_chunks() const noexcept { return source_ == Source::chunks; }
    /// The chunk that ended last was the last one.
    bool is_in_last_chunk() const noexcept { return in_last_chunk_; }
    /// More octets of DATA are to come.
    bool is_receiving() const noexcept { return source_ == Source::data && !is_over_; }
    /// The header block is complete, and Observer::header_arrived() was called.
    bool has_header() const noexcept { return header_seen_; }
    bool is_at_end() const noexcept { return decoder_ && decoder_->done(); }
    MonotonicTime since() const noexcept { return since_; }
    /// Excludes a pause in which the client could not send from the time of the message.
    void forgive(MonotonicTime::duration pause) noexcept { since_ += pause; }
    /// Octets of the connection that belong to the message so far, including dot-stuffing.
    std::uint64_t octets_so_far() const noexcept { return octets_; }

    /// If not empty, the reply after the end of data.
    const std::optional<Reply>& refusal() const noexcept { return refusal_; }
    /// That reply is sent at once and ends the session: a plugin requested that.
    bool hangs_up() const noexcept { return hangs_up_; }
    /// The session ends after that reply. If the message contains a bare CR or LF, the sending server may have seen the
    /// end of the message elsewhere (SMTP smuggling): what looks like commands after our end may be part of its
    /// message.
    bool closes_session() const noexcept { return closes_session_; }
    /// The first defect in the octets.
    std::optional<smtp::FoundDefect> defect() const { return decoder_ ? decoder_->first_defect() : std::nullopt; }
    /// The error in storing the message, for the log; "" the next time.
    std::string take_fault() { return std::exchange(fault_, {}); }

private:
    void octets(std::string_view piece) override;
    void header_arrived();
    std::optional<StandardReply> defect_of_header();
    void judge_lines();
    Status finish();
    void refuse(Reply reply);
    void cannot_keep(const Error& error);

    MailTransaction& transaction_;
    Observer& observer_;
    Rules rules_;
    Source source_;
    bool header_seen_ = false;
    bool drops_octets_ = false;  ///< further octets are discarded
    bool hangs_up_ = false;
    bool closes_session_ = false;
    bool in_last_chunk_ = false;
    bool is_over_ = false;
    MonotonicTime since_;
    std::uint64_t octets_ = 0;
    std::optional<smtp::DataDecoder> decoder_;  ///< nothing for BINARYMIME
    std::optional<Reply> refusal_;
    std::string fault_;
};

}  // namespace smtpd::engine
