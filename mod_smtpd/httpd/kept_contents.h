/// kept_contents.h: what control files had in them when they were last good, kept over restarts of the server.
///
/// The texts hang from the pool of the process, which outlives the configuration and this DSO: they are octets, and no
/// code belongs to them. Used in the parent only, by one thread, while the configuration is checked.
#pragma once

#include "httpd/apache.h"

#include "host/control_files.h"

#include <map>
#include <string>

namespace smtpd::httpd {

class ProcessKeptContents final : public host::KeptContents {
public:
    /// `pool` is the process's.
    explicit ProcessKeptContents(apr_pool_t* pool) : pool_(pool) {}
    const ControlText* find(const std::string& name) const override;
    void keep(const std::string& name, const ControlText& text) override;

private:
    apr_pool_t* pool_;
    mutable std::map<std::string, ControlText> read_;
};

}  // namespace smtpd::httpd
