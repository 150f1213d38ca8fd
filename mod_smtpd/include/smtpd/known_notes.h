/// known_notes.h: the notes through which plugins share information. Each has one owner, named here, that defines its
/// meaning.
#pragma once

#include <smtpd/notes.h>
#include <smtpd/waiting.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace smtpd::notes {

/// earlytalker, connection: where the client spoke before its turn.
struct EarlyTalk {
    std::string where;     ///< "CONNECT" or "DATA"
    bool counted = false;  ///< the corresponding finding was given
};
inline const NoteKey<EarlyTalk> earlytalker{"earlytalker"};

/// earlytalker, connection: how long this client must be silent, instead of the option `wait`. Other plugins set it at
/// pre_connection.
inline const NoteKey<Duration> earlytalker_wait{"earlytalker_wait"};

/// ident/geoip, connection: the location of the client's address, as far as the databases know it.
struct GeoLocation {
    std::string country;             ///< "US" (ISO 3166-1)
    std::string country_name;        ///< "United States"
    std::string continent;           ///< "NA"
    std::string city;                ///< "Syracuse"
    std::optional<double> distance;  ///< from this server, in kilometres; only with the option `distance`
    std::uint32_t as_number = 0;     ///< of the network, 0 = unknown
    std::string as_name;             ///< the owner of that network
};
inline const NoteKey<GeoLocation> geoip{"geoip"};

/// ident/p0f, connection: what p0f infers from the client's TCP packets. Set only if p0f recognised something.
struct P0f {
    std::string genre;                           ///< "Windows 7 or 8", "Linux 3.11 and newer"; "" = not recognised
    std::string link;                            ///< "Ethernet or modem"
    std::string http;                            ///< name and version of a program that the same host used for HTTP
    std::string language;                        ///< also from the HTTP requests
    std::optional<unsigned> distance;            ///< hops
    std::optional<std::chrono::minutes> uptime;  ///< since the client's system started
    unsigned connections = 0;                    ///< connections that p0f has seen
    std::chrono::sys_seconds first_seen{};       ///< by p0f
    std::chrono::sys_seconds last_seen{};
    std::chrono::sys_seconds last_nat{};     ///< when the address last looked like several hosts behind one; 0 = never
    std::chrono::sys_seconds last_change{};  ///< when the operating system last changed; 0 = never
    unsigned bad_software = 0;   ///< 1: the software differs from what it claims; 2: it most probably lies about the
                                 ///< system
    unsigned match_quality = 0;  ///< 0 = exact, 1 = fuzzy, 2 = generic, 3 = both
};
inline const NoteKey<P0f> p0f{"p0f"};

/// random_error, connection: the percentage for this client, instead of the option. Other plugins may set it at any
/// time.
inline const NoteKey<double> random_error_percent{"random_error_percent"};

/// karma, connection, from pre_connection on: the client's earlier connections that ended well, minus those that ended
/// badly. Not set for an unknown client.
inline const NoteKey<long> karma_history{"karma_history"};

/// greylisting, transaction: the reply text for DATA, if the client was not deferred at MAIL or RCPT already.
inline const NoteKey<std::string> greylist{"greylist"};

/// helo, connection: whether the HELO or EHLO name resolves to the client's address, and whether the address resolves
/// to the name. Not set if that was not looked up, or if the look-up failed.
inline const NoteKey<bool> helo_forward_match{"helo_forward_match", NoteScope::hello};
inline const NoteKey<bool> helo_reverse_match{"helo_reverse_match", NoteScope::hello};

/// resolvable_fromhost, transaction: what the sender's domain resolves to. Not set if the look-up failed.
struct SenderDomain {
    std::string domain;
    std::string found;  ///< "mx", "a" (an address of either family), "ip" (an address literal), "null" (the null
                        ///< sender), "" = nothing valid
};
inline const NoteKey<SenderDomain> resolvable_fromhost{"resolvable_fromhost"};

/// sender_permitted_from, transaction: the sender's domain, if SPF says that the client may send for it.
inline const NoteKey<std::string> spf_pass_host{"spf_pass_host"};

/// dmarc, transaction: what came of the message. Not set where dmarc did not judge.
struct DmarcNote {
    std::string domain;       ///< the author's, as A-labels; "" = the From field names no single domain
    std::string result;       ///< "none" (there is no record), "pass", "fail", "temperror", "permerror"
    std::string policy;       ///< "none", "quarantine", "reject": what the author's domain wants for failures; "" = no
                              ///< record
    std::string disposition;  ///< what this server does because of it: "none", "quarantine", "reject"
};
inline const NoteKey<DmarcNote> dmarc_result{"dmarc_result"};
/// The same: the policy asks to reject the message, and nothing at this site speaks against it.
inline const NoteKey<bool> reject_dmarc{"reject_dmarc"};

/// Any plugin, transaction: the message is suspicious, and belongs into a junk folder, not into the mailbox. For queue
/// plugins, which do not see notes, the same is in the header field X-Quarantine.
struct Quarantine {
    std::string plugin;  ///< that found it
    std::string reason;  ///< "the DMARC policy of example.com"
};
inline const NoteKey<Quarantine> quarantine{"quarantine"};

/// whitelist, connection: a listed HELO or EHLO name. It exempts the client only from checks of this name.
inline const NoteKey<std::string> whitelisthelo{"whitelisthelo", NoteScope::hello};

/// The engine, connection: the connection is encrypted. connection.tls() has the details.
inline const NoteKey<bool> tls_enabled{"tls_enabled"};

}  // namespace smtpd::notes
