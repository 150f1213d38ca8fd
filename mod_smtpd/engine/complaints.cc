/// complaints.cc: what is held against a client while a refusal waits for it.
#include <smtpd/complaint.h>
#include <smtpd/connection.h>
#include <smtpd/hooks.h>

namespace smtpd {

ComplaintSubject subject_of(HookId hook) noexcept {
    using enum HookId;
    constexpr HookSet about_hello{helo_parse, ehlo_parse, helo, ehlo};
    constexpr HookSet about_sender{mail_parse, mail_pre, mail};
    constexpr HookSet about_recipient{rcpt_parse, rcpt_pre, rcpt, data_post_rcpt};
    constexpr HookSet about_message{
        data, data_chunk, data_headers_end, data_post_headers, received_line, data_post, queue_pre, queue, queue_post};
    if (about_hello.contains(hook)) return ComplaintSubject::hello;
    if (about_sender.contains(hook)) return ComplaintSubject::sender;
    if (about_recipient.contains(hook)) return ComplaintSubject::recipient;
    if (about_message.contains(hook)) return ComplaintSubject::message;
    return ComplaintSubject::client;
}

const char* subject_name(ComplaintSubject subject) noexcept {
    switch (subject) {
        case ComplaintSubject::client:
            return "client";
        case ComplaintSubject::hello:
            return "hello";
        case ComplaintSubject::sender:
            return "sender";
        case ComplaintSubject::recipient:
            return "recipient";
        case ComplaintSubject::message:
            return "message";
    }
    return "unknown";
}

void Connection::complain(Complaint complaint) {
    if (record_.complaints.size() < max_complaints) record_.complaints.push_back(std::move(complaint));
}

}  // namespace smtpd
