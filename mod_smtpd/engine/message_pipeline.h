/// message_pipeline.h: the processing of a complete message: the stages at which plugins judge it, in order, and their
/// results. The stages are a table in message_pipeline.cc.
///
/// The session calls next() for the next action, performs it, and passes the plugins' response to answered(); there is
/// no other interaction. One object processes one message; it sends nothing and calls nothing. Not thread-safe.
///
/// The server replies 250 only after a plugin of the queue hook has confirmed that the message is safe. Recipients may
/// have different fates (engine/recipient_results.h).
#pragma once

#include "engine/mail_transaction.h"
#include "engine/replies.h"
#include "engine/settings.h"

#include <smtpd/history.h>
#include <smtpd/hooks.h>

#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

namespace smtpd::engine {

class MessagePipeline {
public:
    struct Rules {
        MixedResults mixed_results = MixedResults::refuse;
        bool is_lmtp = false;
        bool judges_recipients = false;  ///< data_post_rcpt has a handler
        bool tells_priority = false;     ///< MT-PRIORITY is offered
    };

    /// The header field to add next.
    enum class Field {
        none,
        received,               ///< and the fields that a submitted message lacks
        authentication_results  ///< all results that plugins have found; later ones are not included
    };
    /// Add that field, then run the plugins of that hook.
    struct Ask {
        HookId hook;
        Field field = Field::none;
    };
    /// The message is decided.
    struct Result {
        enum class Kind {
            answered,  ///< a plugin has sent its own reply
            refused,   ///< as a whole: this is the reply for all recipients
            judged     ///< recipient by recipient: this is the reply about the recipients that are not refused
        };
        Kind kind;
        Reply reply{};
        bool was_at_queue = false;
        bool is_queued = false;    ///< at least one recipient gets the message
        bool disconnects = false;  ///< a plugin requested that the connection be closed
    };
    using Next = std::variant<Ask, Result>;

    /// The transaction must outlive the pipeline.
    MessagePipeline(MailTransaction& transaction, const Rules& rules) noexcept
        : transaction_(transaction), rules_(rules) {}

    /// next() has asked for a response, which has not come yet.
    bool is_asking() const noexcept { return is_asking_; }
    /// Not to be called while is_asking(). After a result there is nothing more.
    Next next();
    /// Takes the response of the hook; `cause` is the source of a denial, for the recipient's record.
    void answered(const Response& response, const History::RejectionCause& cause);

    /// For data_post_rcpt: the index of the judged recipient in the transaction.
    std::size_t recipient() const noexcept { return recipient_; }

private:
    struct Stage;
    static const Stage stages[];

    void judge_message(const Response& response);
    void judge_recipient(const Response& response, const History::RejectionCause& cause);
    void after_queue(const Response& response);
    void advance();
    bool is_useless_to_queue() const;
    Reply accepted() const;

    MailTransaction& transaction_;
    Rules rules_;
    std::size_t stage_ = 0;
    std::size_t recipient_ = 0;
    Field due_ = Field::none;  ///< to be added before the next question
    bool is_asking_ = false;
    bool disconnects_ = false;  ///< the response about a recipient requested it
    std::optional<Result> result_;
};

}  // namespace smtpd::engine
