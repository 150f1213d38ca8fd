/// arc_fields.h: reads the sets of fields of a chain (RFC 8617 4), and checks them as far as possible without keys.
#pragma once

#include "mailauth/header_block.h"
#include "mailauth/signature.h"
#include "mailauth/tag_list.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smtpd::mailauth {

/// An ARC-Seal field (RFC 8617 4.1.3).
struct ArcSeal {
    explicit ArcSeal(const RawField& field);

    const RawField* field;
    TagList tags;
    std::string problem;  ///< why it cannot be valid, or ""
    std::string_view domain, selector, validation;
    KeyType key_type = KeyType::rsa;
    std::string value;  ///< b=, decoded

    std::string key_name() const;

private:
    void read();
};

/// Views into a HeaderBlock, which must outlive this object.
class ArcSets {
public:
    struct Set {
        const RawField* results = nullptr;
        std::string_view payload;  ///< the results after `i=N;`
        std::optional<Signature> message_signature;
        std::optional<ArcSeal> seal;
    };

    ArcSets() = default;
    explicit ArcSets(const HeaderBlock& block);

    bool empty() const noexcept { return sets_.empty(); }
    std::size_t size() const noexcept { return sets_.size(); }
    /// Set 1 has index 0. The sets are complete unless there is a problem().
    const std::vector<Set>& sets() const noexcept { return sets_; }
    /// What is wrong with the structure, or "".
    const std::string& problem() const noexcept { return problem_; }
    /// Whether the newest seal has cv=fail.
    bool has_ended() const noexcept;

private:
    void add(const RawField& field);
    Set* set_of(std::optional<std::uint64_t> instance);
    void check();
    void refuse(std::string why) {
        if (problem_.empty()) problem_ = std::move(why);
    }

    std::vector<Set> sets_;
    std::string problem_;
};

}  // namespace smtpd::mailauth
