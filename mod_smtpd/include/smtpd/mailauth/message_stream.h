/// message_stream.h: the plugins dkim and arc read a message once, and together.
///
///     setup.hooks.data_chunk.stream([](MessageHook& hook) { return mailauth::MessageStream::join(hook.transaction);
///     }); … const mailauth::MessageReader* reader = mailauth::MessageStream::find(hook.transaction);
#pragma once

#include <smtpd/base/api.h>
#include <smtpd/base/result.h>
#include <smtpd/body_stream.h>
#include <smtpd/mailauth/arc.h>
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

    /// The body of a complete message in relaxed form, as it is now: hashed while it arrived, or read again if it was
    /// not, or a plugin has replaced it.
    static Result<std::shared_ptr<const BodyHasher>> relaxed_body(const Transaction& transaction);

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

/// arc, transaction: what came of the chain. Not set if nobody looked.
inline const NoteKey<mailauth::ArcChain> arc{"arc"};
/// arc, transaction: the instance of the chain whose results may be used, because all sealers since then are trusted
/// (mailauth::oldest_trusted()); 0 if there is none. `arc->sets[instance - 1].results` are these results.
inline const NoteKey<std::size_t> arc_trusted{"arc_trusted"};
/// Any plugin, transaction, before queue_pre: the message will go on to another server, so arc seals it.
inline const NoteKey<bool> will_be_forwarded{"will_be_forwarded"};

}  // namespace smtpd::notes
