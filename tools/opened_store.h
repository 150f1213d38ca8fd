/// opened_store.h: the store, opened by a command for administrators.
///
/// As root it works with a file as the owner of the file, or of its directory: what it makes has to be the server's.
#pragma once

#include "store/stores.h"
#include "support/clock.h"

#include <smtpd/base/result.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::tools {

/// What SmtpStore says where it says nothing.
std::vector<std::string> default_store();

/// Takes "-s STORE" off the front of a command's words, and puts the words of STORE into `store`. False when it is not
/// there.
bool take_store_option(std::vector<std::string>& words, std::vector<std::string>& store);

class OpenedStore {
public:
    /// `words` are those of SmtpStore. Memory cannot be opened: it is the server's.
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
