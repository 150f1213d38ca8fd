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

Result<std::shared_ptr<const BodyHasher>> MessageStream::relaxed_body(const Transaction& transaction) {
    const Message& message = transaction.message();
    const auto* const stream = transaction.notes().find(stream_note);
    if (stream && (*stream)->has_ended() && !message.body_was_replaced())
        if (const BodyHasher* const known = (*stream)->reader_.body_hash(Canonicalization::relaxed))
            return std::shared_ptr<const BodyHasher>(*stream, known);
    auto body = std::make_shared<BodyHasher>(Canonicalization::relaxed);
    auto read = message.for_each_body_chunk([&](std::string_view octets) -> Result<void> {
        body->update(octets);
        return {};
    });
    if (!read) return read.error();
    body->finish();
    return std::shared_ptr<const BodyHasher>(std::move(body));
}

}  // namespace smtpd::mailauth
