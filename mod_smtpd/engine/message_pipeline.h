/// message_pipeline.h: what happens to a message that has come as a whole: the stages at which plugins judge it, one
/// after the other, and what they lead to. The stages are a table in message_pipeline.cc.
///
/// The session asks next() what to do, does it, and tells what plugins have answered(); that is all the two have to do
/// with each other. A pipeline is made for each message, sends nothing and calls nobody. No thread-safety.
///
/// 250 is said only after a plugin of the queue hook has said that the message is safe. Recipients may have different
/// fates (engine/recipient_results.h).
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
        bool judges_recipients = false;  ///< somebody handles data_post_rcpt
        bool tells_priority = false;     ///< MT-PRIORITY is offered
    };

    /// What the server adds to the header.
    enum class Field {
        none,
        received,               ///< and what a submitted message lacks
        authentication_results  ///< all that plugins have found: none can add to it any more
    };
    /// Add that field, then let the plugins of that hook answer.
    struct Ask {
        HookId hook;
        Field field = Field::none;
    };
    /// The message is decided.
    struct Result {
        enum class Kind {
            answered,  ///< a plugin has told the client itself
            refused,   ///< as a whole: that is the reply, to everybody
            judged     ///< recipient by recipient: that is the reply about the recipients that are not refused
        };
        Kind kind;
        Reply reply{};
        bool was_at_queue = false;
        bool is_queued = false;    ///< somebody gets the message
        bool disconnects = false;  ///< a plugin wants the connection closed
    };
    using Next = std::variant<Ask, Result>;

    /// The transaction must outlive it.
    MessagePipeline(MailTransaction& transaction, const Rules& rules) noexcept
        : transaction_(transaction), rules_(rules) {}

    /// A response is awaited: next() has asked for it.
    bool is_asking() const noexcept { return is_asking_; }
    /// Not while it is asking. After a result there is nothing more.
    Next next();
    /// What was said at the hook that was to be asked; `cause` is whose denial it was, for the recipient's record.
    void answered(const Response& response, const History::RejectionCause& cause);

    /// Of data_post_rcpt: which one of the transaction's recipients is judged.
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
    Field due_ = Field::none;  ///< before anybody is asked again
    bool is_asking_ = false;
    bool disconnects_ = false;  ///< the response about a recipient wants it so
    std::optional<Result> result_;
};

}  // namespace smtpd::engine
