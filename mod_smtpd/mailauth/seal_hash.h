/// seal_hash.h: computes the hash that an ARC-Seal signs (RFC 8617 5.1.1). It covers the fields of all sets so far in
/// relaxed form; the seal itself comes last, without its value. Each field is hashed once, even if many seals cover it.
#pragma once

#include "mailauth/header_block.h"
#include "mailauth/openssl.h"

#include <new>
#include <string>
#include <string_view>

namespace smtpd::mailauth {

class SealHash {
public:
    SealHash() : context_(EVP_MD_CTX_new()) {
        if (!context_ || EVP_DigestInit_ex2(context_.get(), sha256_method(), nullptr) != 1) throw std::bad_alloc();
    }
    /// Adds a field that all further seals cover.
    void add(std::string_view raw) {
        text_.clear();
        append_canonical(text_, raw, Canonicalization::relaxed);
        EVP_DigestUpdate(context_.get(), text_.data(), text_.size());
    }
    /// The hash with this seal as the last field. `value` is the text between `b=` and `;` in it.
    Sha256 with_seal(std::string_view raw, std::string_view value) {
        text_.clear();
        append_canonical_signature(text_, raw, static_cast<std::size_t>(value.data() - raw.data()), value.size(),
                                   Canonicalization::relaxed);
        const MdContextPointer copy(EVP_MD_CTX_new());
        Sha256 digest{};
        if (!copy || EVP_MD_CTX_copy_ex(copy.get(), context_.get()) != 1) throw std::bad_alloc();
        EVP_DigestUpdate(copy.get(), text_.data(), text_.size());
        EVP_DigestFinal_ex(copy.get(), digest.data(), nullptr);
        return digest;
    }

private:
    MdContextPointer context_;
    std::string text_;
};

}  // namespace smtpd::mailauth
