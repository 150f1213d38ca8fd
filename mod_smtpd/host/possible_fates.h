/// possible_fates.h: checks and corrects the result of a queue plugin, so that no mail is lost.
#pragma once

#include <smtpd/delivery/result.h>

#include <string>
#include <vector>

namespace smtpd::host {

/// The fate in the place of a missing or impossible one, and of one that a plugin could not give because it failed.
Fate local_error();

/// Makes sure that each recipient has a possible fate: a missing or impossible fate becomes local_error(). If the
/// result has a fate for an address that is not a recipient, the plugin has left out a recipient by mistake, so the
/// fate for all becomes local_error(), too. Returns what was wrong, for the log; "" if nothing was.
std::string make_possible(DeliveryResult& result, const std::vector<Recipient>& recipients);

}  // namespace smtpd::host
