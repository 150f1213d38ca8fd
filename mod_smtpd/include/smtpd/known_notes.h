/// known_notes.h: the notes by which plugins tell each other something. Each has one owner, named here, who gives it
/// its meaning.
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
    bool counted = false;  ///< the finding that goes with it was given
};
inline const NoteKey<EarlyTalk> earlytalker{"earlytalker"};

/// earlytalker, connection: how long this client has to be silent, instead of the option `wait`. Set by others at
/// pre_connection.
inline const NoteKey<Duration> earlytalker_wait{"earlytalker_wait"};

/// ident/geoip, connection: where the client's address is, as far as the databases know.
struct GeoLocation {
    std::string country;             ///< "US" (ISO 3166-1)
    std::string country_name;        ///< "United States"
    std::string continent;           ///< "NA"
    std::string city;                ///< "Syracuse"
    std::optional<double> distance;  ///< from this server, in kilometres; only with the option `distance`
    std::uint32_t as_number = 0;     ///< of the network, 0 = not known
    std::string as_name;             ///< to whom that belongs
};
inline const NoteKey<GeoLocation> geoip{"geoip"};

/// ident/p0f, connection: what the client's TCP packets look like. Only where p0f knows something.
struct P0f {
    std::string genre;                           ///< "Windows 7 or 8", "Linux 3.11 and newer"; "" = not recognised
    std::string link;                            ///< "Ethernet or modem"
    std::string http;                            ///< name and version of a program that the same host used for HTTP
    std::string language;                        ///< from the same
    std::optional<unsigned> distance;            ///< hops
    std::optional<std::chrono::minutes> uptime;  ///< since the client's system started
    unsigned connections = 0;                    ///< how many p0f has seen
    std::chrono::sys_seconds first_seen{};       ///< by p0f
    std::chrono::sys_seconds last_seen{};
    std::chrono::sys_seconds last_nat{};     ///< when the address last looked like several hosts behind one; 0 = never
    std::chrono::sys_seconds last_change{};  ///< when the system last changed; 0 = never
    unsigned bad_software = 0;   ///< 1: the program is not what it says; 2: most probably a lie about the system
    unsigned match_quality = 0;  ///< 0 = exact, 1 = fuzzy, 2 = generic, 3 = both
};
inline const NoteKey<P0f> p0f{"p0f"};

/// random_error, connection: the percentage for this client, instead of the option. Set by others, at any time.
inline const NoteKey<double> random_error_percent{"random_error_percent"};

/// karma, connection, from pre_connection on: how many more of this client's earlier connections ended well than badly.
/// Not set for a client of which nothing is known.
inline const NoteKey<long> karma_history{"karma_history"};

/// greylisting, transaction: what is said at DATA, because it was not said at MAIL or RCPT.
inline const NoteKey<std::string> greylist{"greylist"};

/// helo, connection: whether the name in HELO or EHLO leads to the client's address, and whether the address leads to
/// the name. Not set where nobody looked, or nobody could tell.
inline const NoteKey<bool> helo_forward_match{"helo_forward_match", NoteScope::hello};
inline const NoteKey<bool> helo_reverse_match{"helo_reverse_match", NoteScope::hello};

/// resolvable_fromhost, transaction: what the sender's domain has. Not set where nobody could tell.
struct SenderDomain {
    std::string domain;
    std::string found;  ///< "mx", "a" (an address, of either kind), "ip" (an address literal), "null" (the null
                        ///< sender), "" = nothing valid
};
inline const NoteKey<SenderDomain> resolvable_fromhost{"resolvable_fromhost"};

/// whitelist, connection: a name in HELO or EHLO that is on the list; it exempts from what is said about this name
/// only.
inline const NoteKey<std::string> whitelisthelo{"whitelisthelo", NoteScope::hello};

/// The engine, connection: the connection is encrypted. connection.tls() tells more.
inline const NoteKey<bool> tls_enabled{"tls_enabled"};

}  // namespace smtpd::notes
