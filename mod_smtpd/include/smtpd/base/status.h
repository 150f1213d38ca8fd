/// status.h: the enhanced status codes of RFC 3463 under the names that qpsmtpd plugins use, each with its usual class
/// and text, and those of RFC 6531 and RFC 8689 for messages that a queue plugin cannot pass on as they are.
///
/// `return Response(status::no_such_user);` or `fail("…").status(status::mbox_full)`.
#pragma once

#include <smtpd/base/reply.h>

namespace smtpd {

struct Status {
    bool soft;  ///< usually a 4xx
    EnhancedCode code;
    const char* text;  ///< default text for the client
};

namespace status {

inline constexpr Status unspecified{true, {4, 0, 0}, "Other undefined status"};
inline constexpr Status addr_unspecified{true, {4, 1, 0}, "Other address status"};
inline constexpr Status no_such_user{false, {5, 1, 1}, "No such user"};
inline constexpr Status addr_bad_dest_mbox{false, {5, 1, 1}, "Bad destination mailbox address"};
inline constexpr Status addr_bad_dest_system{false, {5, 1, 2}, "Bad destination system address"};
inline constexpr Status addr_bad_dest_syntax{false, {5, 1, 3}, "Bad destination mailbox address syntax"};
inline constexpr Status addr_dest_ambiguous{true, {4, 1, 4}, "Destination mailbox address ambiguous"};
inline constexpr Status addr_mbox_moved{false, {5, 1, 6}, "Mailbox has moved"};
inline constexpr Status addr_bad_from_syntax{false, {5, 1, 7}, "Bad sender's mailbox address syntax"};
inline constexpr Status addr_bad_from_system{false, {5, 1, 8}, "Bad sender's system address"};
inline constexpr Status mbox_unspecified{true, {4, 2, 0}, "Other or undefined mailbox status"};
inline constexpr Status mbox_disabled{false, {5, 2, 1}, "Mailbox disabled, not accepting messages"};
inline constexpr Status mbox_full{true, {4, 2, 2}, "Mailbox full"};
inline constexpr Status mbox_msg_too_long{false, {5, 2, 3}, "Message length exceeds administrative limit"};
inline constexpr Status mbox_list_expansion_problem{true, {4, 2, 4}, "Mailing list expansion problem"};
inline constexpr Status sys_unspecified{true, {4, 3, 0}, "Other or undefined mail system status"};
inline constexpr Status sys_disk_full{true, {4, 3, 1}, "Mail system full"};
inline constexpr Status sys_not_accepting_mail{true, {4, 3, 2}, "System not accepting network messages"};
inline constexpr Status sys_not_supported{true, {4, 3, 3}, "System not capable of selected features"};
inline constexpr Status sys_msg_too_big{false, {5, 3, 4}, "Message too big for system"};
inline constexpr Status net_unspecified{true, {4, 4, 0}, "Other or undefined network or routing status"};
inline constexpr Status temp_resolver_failed{true, {4, 4, 3}, "Temporary address resolution failure"};
inline constexpr Status net_directory_server_failed{true, {4, 4, 3}, "Directory server failure"};
inline constexpr Status net_system_congested{true, {4, 4, 5}, "Mail system congestion"};
inline constexpr Status net_routing_loop{false, {5, 4, 6}, "Routing loop detected"};
inline constexpr Status too_many_hops{false, {5, 4, 6}, "Too many hops"};
inline constexpr Status proto_unspecified{true, {4, 5, 0}, "Other or undefined protocol status"};
inline constexpr Status proto_invalid_command{false, {5, 5, 1}, "Invalid command"};
inline constexpr Status proto_syntax_error{false, {5, 5, 2}, "Syntax error"};
inline constexpr Status proto_rcpt_list_too_long{true, {4, 5, 3}, "Too many recipients"};
inline constexpr Status too_many_rcpts{true, {4, 5, 3}, "Too many recipients"};
inline constexpr Status proto_invalid_cmd_args{false, {5, 5, 4}, "Invalid command arguments"};
inline constexpr Status proto_wrong_version{true, {4, 5, 5}, "Wrong protocol version"};
inline constexpr Status media_unspecified{true, {4, 6, 0}, "Other or undefined media error"};
inline constexpr Status media_unsupported{false, {5, 6, 1}, "Media not supported"};
inline constexpr Status media_conv_prohibited{false, {5, 6, 2}, "Conversion required and prohibited"};
inline constexpr Status media_conv_unsupported{true, {4, 6, 3}, "Conversion required but not supported"};
inline constexpr Status media_conv_lossy{true, {4, 6, 4}, "Conversion with loss performed"};
inline constexpr Status utf8_address_unsupported{
    false, {5, 6, 7}, "Non-ASCII address, but the next server does not support SMTPUTF8"};
inline constexpr Status utf8_header_unsupported{
    false, {5, 6, 9}, "UTF-8 header, but the next server does not support SMTPUTF8"};
inline constexpr Status sec_unspecified{true, {4, 7, 0}, "Other or undefined security status"};
inline constexpr Status sec_sender_unauthorized{false, {5, 7, 1}, "Delivery not authorized, message refused"};
inline constexpr Status bad_sender_ip{false, {5, 7, 1}, "Bad sender's IP"};
inline constexpr Status relaying_denied{false, {5, 7, 1}, "Relaying denied"};
inline constexpr Status sec_list_dest_prohibited{false, {5, 7, 2}, "Mailing list expansion prohibited"};
inline constexpr Status sec_conv_failed{false, {5, 7, 3}, "Security conversion required but not possible"};
inline constexpr Status sec_feature_unsupported{false, {5, 7, 4}, "Security features not supported"};
inline constexpr Status sec_crypto_failure{false, {5, 7, 5}, "Cryptographic failure"};
inline constexpr Status sec_crypto_algorithm_unsupported{true, {4, 7, 6}, "Cryptographic algorithm not supported"};
inline constexpr Status sec_msg_integrity_failure{false, {5, 7, 7}, "Message integrity failure"};
inline constexpr Status requiretls_unsupported{false, {5, 7, 30}, "REQUIRETLS support required"};

}  // namespace status
}  // namespace smtpd
