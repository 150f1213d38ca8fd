/// possible_fates.h: checks and corrects the result of a queue plugin, so that no mail is lost.
#pragma once

#include <smtpd/delivery/result.h>

#include <string>
#include <vector>

namespace smtpd::host {

/// The fate that replaces a missing or invalid one, and the one for a plugin that failed.
Fate local_error();

/// Makes sure that each recipient has a valid fate: a missing or invalid fate becomes local_error(). If the result has
/// a fate for an address that is not a recipient, the plugin has omitted a recipient by mistake, so the fate for all
/// becomes local_error() too. Returns the errors, for the log; "" if there were none.
std::string make_possible(DeliveryResult& result, const std::vector<Recipient>& recipients);

}  // namespace smtpd::host
