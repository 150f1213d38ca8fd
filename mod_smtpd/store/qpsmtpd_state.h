/// qpsmtpd_state.h: what qpsmtpd's karma and greylisting keep in their DBM files, as our records. Pure functions.
#pragma once

#include <smtpd/base/result.h>
#include <smtpd/store/records.h>

#include <string>
#include <string_view>

namespace smtpd::store {

/// An entry on its way into the store.
template <class Record>
struct Imported {
    std::string key;
    Record record;
    Duration lifetime{};  ///< not above 0: it would have expired
};

/// What the second part of a greylisting key is, where it has two: qpsmtpd does not say.
enum class SecondPart { sender, recipient };

/// karma: the key is the address as a number, the value "penalty start:naughty:nice:connects".
Result<Imported<KarmaRecord>> read_karma(std::string_view key, std::string_view value);
/// greylisting: the key is the address, as a number or as text, and perhaps sender and recipient behind colons; the
/// value "time:new:black:white".
Result<Imported<GreylistRecord>> read_greylist(std::string_view key, std::string_view value, SecondPart second,
                                               WallTime now);

}  // namespace smtpd::store
