/// result.h: a value, or the reason why the environment (disk, configuration, back end) could not provide it.
///
/// Three kinds of failure are kept apart: a client's mistake is a Reply, a failure of the environment is a Result with
/// an Error, and a bug in this program is an assertion failure. A Result does not convert to its value silently; the
/// caller must check it.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace smtpd {

enum class ErrorCode {
    io,          ///< a file or socket operation failed
    no_space,    ///< the disk, a quota or a configured limit is full; answered with 452 where a client waits
    not_found,   ///< the object asked for does not exist
    timeout,     ///< a deadline passed
    config,      ///< something that an administrator wrote cannot be parsed
    unavailable  ///< a back end cannot be reached or gave no usable answer
};

/// Why an operation failed. `what` is a fragment for log lines ("cannot open /x/y: Permission denied").
struct Error {
    ErrorCode code = ErrorCode::io;
    std::string what;
    int os_status = 0;  ///< errno, 0 if there is none
};

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const noexcept { return state_.index() == 0; }
    T& operator*() & {
        assert(*this);
        return *std::get_if<0>(&state_);
    }
    const T& operator*() const& {
        assert(*this);
        return *std::get_if<0>(&state_);
    }
    T&& operator*() && {
        assert(*this);
        return std::move(*std::get_if<0>(&state_));
    }
    T* operator->() {
        assert(*this);
        return std::get_if<0>(&state_);
    }
    const T* operator->() const {
        assert(*this);
        return std::get_if<0>(&state_);
    }
    const Error& error() const {
        assert(!*this);
        return *std::get_if<1>(&state_);
    }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    explicit operator bool() const noexcept { return !error_.has_value(); }
    const Error& error() const {
        assert(error_);
        return *error_;
    }

private:
    std::optional<Error> error_;
};

}  // namespace smtpd
