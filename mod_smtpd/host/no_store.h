/// no_store.h: a placeholder for a namespace that cannot be opened. The error has been reported and the server will not
/// start, but the plugin's constructor continues, so that all its errors are found at once.
#pragma once

#include <smtpd/store/store.h>

namespace smtpd::host {

class NoStore final : public StoreSpace {
public:
    Result<std::optional<std::string>> get(std::string_view, Duration) override { return none(); }
    Result<void> put(std::string_view, std::string_view, Duration, Duration) override { return none(); }
    Result<std::optional<std::string>> put_if_absent(std::string_view, std::string_view, Duration, Duration) override {
        return none();
    }
    Result<std::int64_t> add(std::string_view, std::int64_t, Duration, AddOptions, Duration) override { return none(); }
    Result<bool> replace(std::string_view, std::optional<std::string_view>, std::string_view, Duration,
                         Duration) override {
        return none();
    }
    Result<bool> remove(std::string_view, Duration) override { return none(); }
    Result<StorePage<std::string>> list(std::string_view, std::size_t, std::string_view, Duration) override {
        return none();
    }

private:
    static Error none() { return {ErrorCode::config, "there is no such namespace", 0}; }
};

}  // namespace smtpd::host
