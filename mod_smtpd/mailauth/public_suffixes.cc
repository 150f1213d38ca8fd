/// public_suffixes.cc: reads lists of public suffixes with libpsl.
#include <smtpd/mailauth/public_suffixes.h>

#include <smtpd/base/domain.h>
#include <smtpd/base/format.h>

#include "support/strings.h"

#include <algorithm>
#include <utility>

#ifdef HAVE_PSL
#include <libpsl.h>
#endif

namespace smtpd::mailauth {

std::string PublicSuffixes::organizational_domain(std::string_view domain) const {
    std::string registrable = registrable_domain(domain);
    return registrable.empty() ? support::folded(domain) : registrable;
}

#ifdef HAVE_PSL

namespace {

struct Free {
    void operator()(psl_ctx_t* list) const noexcept { psl_free(list); }
};
using List = std::unique_ptr<psl_ctx_t, Free>;

std::size_t labels_of(std::string_view domain) noexcept {
    return static_cast<std::size_t>(std::count(domain.begin(), domain.end(), '.')) + 1;
}

/// The last `labels` labels. The domain must have that many.
std::string_view last_labels(std::string_view domain, std::size_t labels) noexcept {
    for (auto surplus = labels_of(domain) - labels; surplus > 0; --surplus) domain.remove_prefix(domain.find('.') + 1);
    return domain;
}

class PslList final : public PublicSuffixes {
public:
    explicit PslList(List list) : list_(std::move(list)) {}

    std::string registrable_domain(std::string_view domain) const override {
        const std::string ascii = ascii_domain(domain);
        if (ascii.empty() || ascii.front() == '.' || ascii.find("..") != ascii.npos) return {};
        const char* const found = psl_registrable_domain(list_.get(), ascii.c_str());
        if (found == nullptr) return {};
        // A-labels and U-labels correspond one to one, so both forms have the same number of labels.
        if (domain.ends_with('.')) domain.remove_suffix(1);
        const std::size_t labels = labels_of(found);
        if (labels_of(domain) < labels) return {};
        return unicode_lower(last_labels(domain, labels), found);
    }

private:
    /// For letters beyond ASCII, libidn2 does the conversion to lower case.
    static std::string unicode_lower(std::string_view spelled, std::string_view ascii) {
        return support::is_ascii(spelled) ? support::folded(spelled) : unicode_domain(ascii);
    }

    List list_;
};

Result<std::shared_ptr<const PublicSuffixes>> made_of(List list, std::string problem) {
    if (!list || psl_suffix_count(list.get()) == 0) return Error{ErrorCode::config, std::move(problem)};
    return std::shared_ptr<const PublicSuffixes>(std::make_shared<PslList>(std::move(list)));
}

}  // namespace

bool PublicSuffixes::is_supported() noexcept { return true; }

Result<std::shared_ptr<const PublicSuffixes>> PublicSuffixes::of_system() {
    // psl_suffix_count() may be 0 for the list that is built into libpsl, so look for a suffix instead.
    List list(psl_latest(nullptr));
    if (!list || !psl_is_public_suffix(list.get(), "com"))
        return Error{ErrorCode::config, "libpsl has no list of public suffixes"};
    return std::shared_ptr<const PublicSuffixes>(std::make_shared<PslList>(std::move(list)));
}

Result<std::shared_ptr<const PublicSuffixes>> PublicSuffixes::load(const std::string& path) {
    return made_of(List(psl_load_file(path.c_str())),
                   format_text("{} cannot be read, or is no list of public suffixes", path));
}

#else

namespace {
Error unsupported() { return {ErrorCode::config, "this mod_smtpd was built without libpsl"}; }
}  // namespace

bool PublicSuffixes::is_supported() noexcept { return false; }

Result<std::shared_ptr<const PublicSuffixes>> PublicSuffixes::of_system() { return unsupported(); }

Result<std::shared_ptr<const PublicSuffixes>> PublicSuffixes::load(const std::string&) { return unsupported(); }

#endif

}  // namespace smtpd::mailauth
