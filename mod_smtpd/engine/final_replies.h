/// final_replies.h: the reply after a message: one for all recipients, or one for each.
///
/// The server replies 250 only after a queue plugin has confirmed that the message is safe. Recipients may have
/// different fates (Recipient::fate()). With LMTP and PRDR each recipient gets its own reply. Otherwise there is one
/// reply for all, by the rule of SmtpMixedResults. `rest` below is the reply about the recipients that are not refused:
/// from the queue plugin, or from the plugin that refused the whole message. Nothing here has state.
#pragma once

#include "engine/mail_transaction.h"
#include "engine/settings.h"

#include <string>
#include <vector>

namespace smtpd::engine {

struct FinalReplies {
    Reply decisive;              ///< for the log and for queue_post: the only reply, or the one that sums up the others
    std::vector<Reply> to_each;  ///< one for each RCPT, in their order; empty if `decisive` is the only reply
    bool is_announced = false;   ///< PRDR: a 353 comes before the replies to each, and `decisive` after them
    /// For the log, at level notice: recipients for which the reply is not true.
    std::vector<std::string> remarks;
};

/// How the client is told.
struct ReplyRules {
    MixedResults mixed_results = MixedResults::refuse;
    bool is_lmtp = false;
    /// LMTP: the message was received completely, so each recipient gets a reply (RFC 2033 4.2).
    bool is_complete = true;
};

/// The recipients were judged one by one. `is_queued`: at least one recipient gets the message.
FinalReplies replies_about_recipients(const MailTransaction& transaction, const Reply& rest, bool is_queued,
                                      const ReplyRules& rules);
/// The whole message is refused: with one reply, even with PRDR.
FinalReplies replies_about_message(const MailTransaction& transaction, const Reply& decided, const ReplyRules& rules);

/// The one reply for all recipients, by the rule. If no recipient is refused, that is `rest`.
Reply common_reply(MixedResults rule, const MailTransaction& transaction, const Reply& rest);

}  // namespace smtpd::engine
