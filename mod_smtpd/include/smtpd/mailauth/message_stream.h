/// message_stream.h: lets the plugins dkim and arc share one pass over a message.
///
///     setup.hooks.data_chunk.stream([](MessageHook& hook) { return MessageStream::join(hook.transaction); });
///     …
///     const mailauth::MessageReader* reader = mailauth::MessageStream::find(hook.transaction);
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

    /// For a handler at data_chunk: returns a stream that reads this message, or null if another plugin already has
    /// one. With `to_be_signed`, the relaxed form of the body is hashed in any case.
    static std::shared_ptr<BodyStream> join(Transaction& transaction, bool to_be_signed = false);
    /// The message, once it is complete; null if no stream has read it to the end.
    static const MessageReader* find(const Transaction& transaction);

    /// The hash of a complete message's current body in relaxed form. If the body was not hashed while it arrived, or
    /// if a plugin has replaced it, this function reads it again.
    static Result<std::shared_ptr<const BodyHasher>> relaxed_body(const Transaction& transaction);

    void chunk(std::string_view octets) override { reader_.chunk(octets); }
    void end() override { reader_.end(); }

private:
    MessageReader reader_;
};

}  // namespace smtpd::mailauth

namespace smtpd::notes {

/// dkim, transaction: the results of the DKIM-Signature fields, from the top. Not set if they were not verified.
inline const NoteKey<std::vector<mailauth::DkimSignature>> dkim{"dkim"};
/// dkim, transaction: the result for the whole message: "pass" if a signature passes, otherwise the result of the first
/// signature; "none" without a signature.
inline const NoteKey<std::string> dkim_result{"dkim_result"};
/// dkim, transaction: d= of the signatures that pass, in lower case, without duplicates.
inline const NoteKey<std::vector<std::string>> dkim_pass_domains{"dkim_pass_domains"};

/// arc, transaction: the result for the chain. Not set if it was not validated.
inline const NoteKey<mailauth::ArcChain> arc{"arc"};
/// arc, transaction: the instance whose results may be used, because its sealer and all later sealers are trusted
/// (mailauth::oldest_trusted()); 0 if there is none. The results are in `arc->sets[instance - 1].results`.
inline const NoteKey<std::size_t> arc_trusted{"arc_trusted"};

}  // namespace smtpd::notes
