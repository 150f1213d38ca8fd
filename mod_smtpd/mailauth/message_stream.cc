#include <smtpd/mailauth/message_stream.h>

namespace smtpd::mailauth {
namespace {

const NoteKey<std::shared_ptr<MessageStream>> stream_note{"mailauth.message"};

}  // namespace

std::shared_ptr<BodyStream> MessageStream::join(Transaction& transaction, bool to_be_signed) {
    auto* const known = transaction.notes().find(stream_note);
    if (!known) transaction.notes().set(stream_note, std::make_shared<MessageStream>());
    auto& stream = known ? *known : *transaction.notes().find(stream_note);
    if (to_be_signed) stream->reader_.hash_body(Canonicalization::relaxed);
    return known ? nullptr : stream;
}

const MessageReader* MessageStream::find(const Transaction& transaction) {
    const auto* const stream = transaction.notes().find(stream_note);
    return stream && (*stream)->has_ended() ? &(*stream)->reader_ : nullptr;
}

}  // namespace smtpd::mailauth
