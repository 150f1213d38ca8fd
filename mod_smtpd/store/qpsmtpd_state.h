/// qpsmtpd_state.h: converts the entries of qpsmtpd's karma and greylisting DBM files into our records. Pure functions.
#pragma once

#include <smtpd/base/result.h>
#include <smtpd/store/records.h>

#include <string>
#include <string_view>

namespace smtpd::store {

/// An entry to be imported into the store.
template <class Record>
struct Imported {
    std::string key;
    Record record;
    Duration lifetime{};  ///< not positive: it has expired
};

/// The meaning of the second part of a greylisting key with two parts; qpsmtpd does not record it.
enum class SecondPart { sender, recipient };

/// karma: the key is the address as a number, the value is "penalty start:naughty:nice:connects".
Result<Imported<KarmaRecord>> read_karma(std::string_view key, std::string_view value);
/// greylisting: the key is the address, as a number or as text, and perhaps sender and recipient after colons; the
/// value is "time:new:black:white".
Result<Imported<GreylistRecord>> read_greylist(std::string_view key, std::string_view value, SecondPart second,
                                               WallTime now);

}  // namespace smtpd::store
