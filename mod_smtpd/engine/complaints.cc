/// complaints.cc: the complaints about a client whose refusal is pending.
#include <smtpd/complaint.h>
#include <smtpd/connection.h>

namespace smtpd {

const char* subject_name(HookSubject subject) noexcept {
    switch (subject) {
        case HookSubject::client: return "client";
        case HookSubject::hello: return "hello";
        case HookSubject::sender: return "sender";
        case HookSubject::recipient: return "recipient";
        case HookSubject::message: return "message";
    }
    return "unknown";
}

void Connection::complain(Complaint complaint) {
    if (record_.complaints.size() < max_complaints) record_.complaints.push_back(std::move(complaint));
}

}  // namespace smtpd
