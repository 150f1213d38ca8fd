/// message_stream.h: the plugins dkim and arc read a message once, and together.
///
///     setup.hooks.data_chunk.stream([](MessageHook& hook) { return mailauth::MessageStream::join(hook.transaction);
///     }); … const mailauth::MessageReader* reader = mailauth::MessageStream::find(hook.transaction);
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/body_stream.h>
#include <smtpd/mailauth/dkim.h>
#include <smtpd/mailauth/message_reader.h>
#include <smtpd/notes.h>
#include <smtpd/transaction.h>

#include <memory>
#include <string>
#include <vector>

namespace smtpd::mailauth {

class SMTPD_API MessageStream final : public BodyStream {
public:
    MessageStream() = default;

    /// For a handler at data_chunk: a stream that reads this message; null if another plugin's does already. With
    /// `to_be_signed` the relaxed form of the body is hashed in any case.
    static std::shared_ptr<BodyStream> join(Transaction& transaction, bool to_be_signed = false);
    /// The message, once it is complete; null if nobody has read it to its end.
    static const MessageReader* find(const Transaction& transaction);

    void chunk(std::string_view octets) override { reader_.chunk(octets); }
    void end() override { reader_.end(); }

private:
    MessageReader reader_;
};

}  // namespace smtpd::mailauth

namespace smtpd::notes {

/// dkim, transaction: what came of each DKIM-Signature field, from the top. Not set if nobody looked.
inline const NoteKey<std::vector<mailauth::DkimSignature>> dkim{"dkim"};
/// dkim, transaction: the result for the whole message: that of a signature that passes, or else of the first one;
/// "none".
inline const NoteKey<std::string> dkim_result{"dkim_result"};
/// dkim, transaction: d= of the signatures that pass, in lower case, each once.
inline const NoteKey<std::vector<std::string>> dkim_pass_domains{"dkim_pass_domains"};

}  // namespace smtpd::notes
