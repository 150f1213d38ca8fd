/// message_intake.h: a message as it arrives, by DATA (RFC 5321 4.1.1.4) or in the chunks of BDAT (RFC 3030), up to its
/// end.
///
/// Octets of the connection go in; what belongs to the message is decoded, checked against the limits, and kept in the
/// transaction. Whatever goes wrong meanwhile is remembered and answered only at the end of data, or of the chunk, so
/// that client and server stay in step. The two exceptions are told by hangs_up() and closes_session().
///
/// An object is made for each message, and is there until its transaction ends. It sends nothing and logs nothing.
/// Plugins hear of the message through the Observer. No thread-safety.
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

/// A chunk of BDAT: the command was read, its octets follow, whatever is answered.
struct Chunk {
    std::uint64_t size;
    std::uint64_t left;  ///< octets that are still to come
    bool is_last;
    MonotonicTime since;
    /// Its octets are thrown away, and this is the answer; an empty reply: a plugin has answered.
    std::optional<Reply> refusal{};
    std::uint32_t answers = 1;  ///< how often that answer is given

    /// Takes what belongs to it off the front of `input`.
    std::string_view take(std::string_view& input) noexcept;
};

class MessageIntake final : private smtp::DataDecoder::Sink {
public:
    enum class Source : std::uint8_t { data, chunks };

    struct Rules {
        smtp::BareNewline bare_newline = smtp::BareNewline::reject;
        std::uint64_t max_size = 0;  ///< octets of the message; 0 = no limit
        std::uint64_t max_line = 0;  ///< of a line with its CRLF; 0 = no limit
        bool is_observed = false;    ///< somebody wants the octets
    };

    /// Hears of the message while it comes. It must not end the transaction meanwhile.
    class Observer {
    public:
        virtual ~Observer() = default;
        /// Octets of it, decoded; only where the rules say that it is observed.
        virtual void message_octets(std::string_view piece) = 0;
        /// The header block is there. An result that does not proceed refuses the message.
        virtual StageResult header_arrived() = 0;
    };

    enum class Status : std::uint8_t {
        incomplete,  ///< more is to come
        complete,    ///< the message is kept as a whole
        refused      ///< refusal() says why
    };

    /// Begins a message of that transaction, which must outlive it, as must the observer.
    MessageIntake(Source source, MailTransaction& transaction, const Rules& rules, Observer& observer,
                  MonotonicTime since);

    /// With DATA: decodes up to the end of data and says how many octets that took.
    std::size_t feed(std::string_view input);
    /// With BDAT: a piece of a chunk.
    void feed_chunk(std::string_view piece);
    /// To be called where is_at_end().
    Status end_of_data();
    Status end_of_chunk(bool is_last);

    bool is_in_chunks() const noexcept { return source_ == Source::chunks; }
    /// The chunk that ended last was the last one.
    bool is_in_last_chunk() const noexcept { return in_last_chunk_; }
    /// Octets of DATA are still to come.
    bool is_receiving() const noexcept { return source_ == Source::data && !is_over_; }
    /// The header block is there, and Observer::header_arrived() was told.
    bool has_header() const noexcept { return header_seen_; }
    bool is_at_end() const noexcept { return decoder_ && decoder_->done(); }
    MonotonicTime since() const noexcept { return since_; }
    /// The client was kept from sending for that long.
    void forgive(MonotonicTime::duration pause) noexcept { since_ += pause; }
    /// Of the connection that belong to the message so far, stuffed dots included.
    std::uint64_t octets_so_far() const noexcept { return octets_; }

    /// What the end of data is answered with, unless empty.
    const std::optional<Reply>& refusal() const noexcept { return refusal_; }
    /// That answer is given at once and ends the session: a plugin wants it so.
    bool hangs_up() const noexcept { return hangs_up_; }
    /// The session ends after that answer. Where a CR or LF stands alone, the server that sends the message may have
    /// seen its end at another place (SMTP smuggling): what looks like commands behind our end may be a part of its
    /// message.
    bool closes_session() const noexcept { return closes_session_; }
    /// The first octets that should not be there.
    std::optional<smtp::FoundDefect> defect() const { return decoder_ ? decoder_->first_defect() : std::nullopt; }
    /// What went wrong in keeping the message, for the log; "" the next time.
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
    bool drops_octets_ = false;  ///< they are not kept any more
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
