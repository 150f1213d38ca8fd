/// opened_store.h: the store, opened by a command for administrators.
///
/// As root, the command becomes the owner of the store's file or of its directory, so that new files belong to the
/// server's user.
#pragma once

#include "store/stores.h"
#include "support/clock.h"

#include <smtpd/base/result.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::tools {

/// The default of SmtpStore.
std::vector<std::string> default_store();

/// Removes "-s STORE" from the front of a command's words, and puts the words of STORE into `store`. Returns false if
/// the words do not begin with -s.
bool take_store_option(std::vector<std::string>& words, std::vector<std::string>& store);

/// Gives up root for the owner of that file, or of its folder, which has to be there.
Result<void> become_owner(const std::string& path);

class OpenedStore {
public:
    /// `words` are the arguments of SmtpStore. A store in memory cannot be opened: only the server has it.
    static Result<std::unique_ptr<OpenedStore>> open(const std::vector<std::string>& words);
    Result<StoreSpace*> space(std::string_view name);
    /// The namespaces that have entries, sorted by name.
    Result<std::vector<store::SpaceSize>> list_spaces() const;
    const Clock& clock() const noexcept { return clock_; }

private:
    /// What a back end tells: damage is a complaint; that it cannot be reached, every operation says for itself.
    class Events final : public store::Events {
    public:
        void damaged(const std::string& what) noexcept override;
        void unreachable(const std::string&) noexcept override {}
        void reachable(const std::string&) noexcept override {}
    };

    explicit OpenedStore(const store::Address& address);

    const store::Address address_;
    const support::SystemClock clock_;
    Events events_;
    store::Backends backends_;
    store::Stores stores_;
};

}  // namespace smtpd::tools
