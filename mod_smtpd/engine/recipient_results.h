/// recipient_results.h: recipients with different fates: what the client is told about each, or about all of them where
/// there is one reply only, and what the log says.
///
/// After DATA plugins may refuse or defer single recipients (DataPostHook::refuse(), the hook data_post_rcpt), and the
/// queue may deliver to some of them only: Transaction::turned_away(). `rest` below is the reply about all others: that
/// of the queue, or of whoever refused the whole message. Nothing here has state.
#pragma once

#include "engine/mail_transaction.h"
#include "engine/settings.h"

#include <smtpd/hook/context.h>

#include <string>
#include <string_view>
#include <vector>

namespace smtpd::engine {

/// What an answer at data_post_rcpt, or of DataPostHook::refuse(), means for the recipient; one that is no denial
/// defers it.
Disposition disposition_of(const Answer& answer, std::string_view plugin, std::string reason);

/// The plugin whose handler is running has refused or deferred a recipient: writes that into the recipient, the history
/// and the log.
void turn_away(const HookContext& context, Connection& connection, Recipient& recipient, Disposition disposition);

/// One reply for each RCPT that was accepted, in their order (RFC 2033 4.2), with the recipient's path in front. Of a
/// recipient that a plugin has made into several, one that is deferred counts, so that its mail is not lost, then one
/// that is not turned away; one that a plugin has removed is as good as the rest. If the queue plugin gave a text for a
/// recipient, the reply has that text instead of the text of `rest`.
std::vector<Reply> replies_by_recipient(const MailTransaction& transaction, const Reply& rest);

/// The one reply for all of them, as the rule says. Where nobody is turned away, that is `rest`.
Reply common_reply(MixedResults rule, const MailTransaction& transaction, const Reply& rest);

/// What concludes replies_by_recipient(): positive if anybody gets the message.
Reply concluding_reply(const MailTransaction& transaction, const Reply& rest);

/// ` refused=<a@example.com> by=quota why="3 GB of 2 GB" told="552 5.2.2 Mailbox is full"`, for each of those that were
/// turned away; "" for none.
std::string turned_away_text(const Transaction& transaction);

}  // namespace smtpd::engine
