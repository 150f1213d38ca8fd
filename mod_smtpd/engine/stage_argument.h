/// stage_argument.h: the subject of a stage: mostly the content of the command. It exists as long as the stage: on the
/// stack if the stage does not wait, otherwise in the Stage. Anything else that a stage needs is in the transaction or
/// the AUTH exchange.
#pragma once

#include <smtpd/recipient.h>

#include <string>
#include <variant>

namespace smtpd::engine {

/// HELO, EHLO, LHLO.
struct HelloArgument {
    std::string host;
    std::string rest;  ///< what followed the host
};

/// RCPT, before the recipient is accepted.
struct RcptArgument {
    Recipient recipient;
    std::string path;  ///< as the client sent it; empty if it is not ASCII
};

/// VRFY, NOOP, HELP, and unknown commands.
struct WordsArgument {
    std::string verb;  ///< of an unknown command, otherwise empty
    std::string rest;
};

/// queue_post.
struct QueuePostArgument {
    std::string reply_text;  ///< what the client was told about the message
};

using StageArgument = std::variant<std::monostate, HelloArgument, RcptArgument, WordsArgument, QueuePostArgument>;

}  // namespace smtpd::engine
