/// recipient_results.h: records that a plugin or the queue rejects or defers single recipients (DataPostHook::refuse(),
/// the hook data_post_rcpt, DeliveryResult), in the recipient, the history and the log. The replies to the client:
/// engine/final_replies.h. Nothing here has state.
#pragma once

#include <smtpd/connection.h>
#include <smtpd/hook/context.h>
#include <smtpd/transaction.h>
#include <smtpd/verdict.h>

#include <string>
#include <string_view>

namespace smtpd::engine {

/// The fate that a response at data_post_rcpt, or one passed to DataPostHook::refuse(), means for the recipient. A
/// response that is not a denial defers the recipient.
Fate refusal(const Response& response, std::string_view plugin, std::string reason);

/// Records in the recipient, the history and the log that the running handler's plugin has rejected or deferred a
/// recipient.
void refuse(const HookContext& context, Connection& connection, Recipient& recipient, Fate fate);

/// ` to=<a@example.com>,<b@example.com>`; "" without recipients.
std::string recipients_text(const Transaction& transaction);

/// ` by=queue/maildir in="/var/mail/in/new/1795199220.1"`: the queue plugin that delivered, and where the message is
/// now; if the place differs, one place for each recipient of recipients_text(), separated by commas. "" if no plugin
/// has delivered. Both lists are cut if they are long.
std::string delivered_text(const Transaction& transaction);

/// ` rejected=<a@example.com> by=quota why="3 GB of 2 GB" told="552 5.2.2 Mailbox is full"`, for each refused
/// recipient; "" if there is none.
std::string refused_text(const Transaction& transaction);

}  // namespace smtpd::engine
